"""Inbox: incoming webhooks whose bell was lost are read all the same; old ones lose their bodies, then go."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from sagas import bell
from sagas.inbox import store, work
from sagas.inbox.reader import reader_names
from sagas.inbox.sources import sources_of
from sagas.loops import keeper, one_of_many

#: Messages overdue by so much are read here: the broker is of no use, or no worker listens.
OVERDUE_SECONDS = 10.0

#: A body may name people. It is kept so long after its row was settled, for whoever has to look at it.
KEEP_BODY = timedelta(days=3)
#: The row itself tells for so long that the message came, and keeps its twins out.
KEEP_ROW = timedelta(days=90)
LIMIT = 1_000


@keeper("sagas.inbox", every=1.0)
def inbox(*, now: datetime) -> int:
    """Ring for every reader with due messages; read overdue ones in this process."""
    del now
    count = 0
    for task in reader_names():
        waited = max(store.overdue(sources_of(task)).values(), default=None)
        if waited is None:
            continue
        rung = bell.ring(task)
        if not rung or waited > OVERDUE_SECONDS:
            count += one_of_many(task, partial(work.read, task, seconds=2.0))
    return count


@keeper("sagas.inbox_retention", every=60.0)
def inbox_retention(*, now: datetime) -> int:
    """Empty bodies three days after their rows were settled, delete the rows after ninety, a batch at a time."""
    emptied = store.empty_bodies(now - KEEP_BODY, limit=LIMIT)
    return emptied + store.delete_settled(now - KEEP_ROW, limit=LIMIT)
