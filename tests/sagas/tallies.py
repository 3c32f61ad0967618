"""A toy projection: how often each object was counted, and a summary of all. Its tables have two slots."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Append, Recorded, publish
from sagas.projections import get_projection, projection
from sagas.rebuild.rows import ProjectionBuild
from sagas.rebuild.run import Outcome, rebuild
from sagas.sql import execute, rows
from tests.sagas.facts import NOW, Counted

NAME = "sagas.tallies"
TABLES = ("toy_tally", "toy_total")

CREATE = """
CREATE TABLE IF NOT EXISTS toy_tally (
  slot smallint, stream uuid, events int NOT NULL, total bigint NOT NULL, who text, PRIMARY KEY (slot, stream)
) PARTITION BY LIST (slot);
CREATE TABLE IF NOT EXISTS toy_tally_1 PARTITION OF toy_tally FOR VALUES IN (1);
CREATE TABLE IF NOT EXISTS toy_tally_2 PARTITION OF toy_tally FOR VALUES IN (2);
CREATE TABLE IF NOT EXISTS toy_total (
  slot smallint, digit int, events bigint NOT NULL, PRIMARY KEY (slot, digit)
) PARTITION BY LIST (slot);
CREATE TABLE IF NOT EXISTS toy_total_1 PARTITION OF toy_total FOR VALUES IN (1);
CREATE TABLE IF NOT EXISTS toy_total_2 PARTITION OF toy_total FOR VALUES IN (2);
"""
DROP = "DROP TABLE IF EXISTS toy_tally, toy_total"

ADD = """
INSERT INTO toy_tally (slot, stream, events, total)
SELECT %s, * FROM unnest(%s::uuid[], %s::int[], %s::bigint[])
ON CONFLICT (slot, stream) DO UPDATE
   SET events = toy_tally.events + excluded.events, total = toy_tally.total + excluded.total
"""
ADD_TOTAL = """
INSERT INTO toy_total (slot, digit, events) SELECT %s, * FROM unnest(%s::int[], %s::bigint[])
ON CONFLICT (slot, digit) DO UPDATE SET events = toy_total.events + excluded.events
"""


#: How long each batch takes, in a process of its own.
SLOW = "TOY_FOLD_SECONDS"


class Bug:
    """The number that the fold cannot digest; every other one is worth `factor` times what it says."""

    number: int | None = None
    factor = 1


def fold(*, events: Sequence[Recorded], slot: int, now: datetime) -> None:
    """Sums that would be wrong by any event lost or taken twice."""
    counts: Counter[object] = Counter()
    totals: Counter[object] = Counter()
    digits: Counter[int] = Counter()
    for event in events:
        number = event.event.number  # type: ignore[attr-defined]
        if number == Bug.number:
            raise ValueError(f"cannot digest {number}")
        counts[event.stream] += 1
        totals[event.stream] += number * Bug.factor
        digits[number % 10] += 1
    streams = sorted(counts, key=str)
    execute(ADD, [slot, streams, [counts[s] for s in streams], [totals[s] for s in streams]])
    execute(ADD_TOTAL, [slot, sorted(digits), [digits[d] for d in sorted(digits)]])
    time.sleep(float(os.environ.get(SLOW, "0")))


def register() -> None:
    """Make it known, as an app does when it loads."""
    projection(NAME, of=(Counted,), tables=TABLES)(fold)


def write(numbers: range, streams: int = 7) -> None:
    """Events with these numbers on a few streams, some with many events."""
    ids = [uuid7() for _ in range(streams)]
    publish([Append(ids[n % streams], None, Counted(number=n)) for n in numbers], now=NOW)


def live() -> int:
    return deliver(NAME, now=database_now)


def build(**more: object) -> Outcome:
    return rebuild(get_projection(NAME), clock=database_now, **more)  # type: ignore[arg-type]


def tally(slot: int) -> list[tuple[object, ...]]:
    return rows("SELECT stream, events, total FROM toy_tally WHERE slot = %s ORDER BY 1", [slot])


def fresh_fold() -> list[tuple[object, ...]]:
    """What the log says, by SQL of its own."""
    return rows(
        "SELECT stream, count(*)::int, sum((data->>'number')::int)::bigint FROM sagas_event e"
        " WHERE NOT EXISTS (SELECT FROM sagas_skippedevent s WHERE s.stream = e.stream AND s.version = e.version)"
        " AND type = 'tests.Counted' GROUP BY 1 ORDER BY 1"
    )


def last_build() -> ProjectionBuild:
    return ProjectionBuild.objects.latest("id")
