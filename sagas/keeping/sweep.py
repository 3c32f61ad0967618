"""Sweep: find steps that are due and ring for them; run them here when nobody else does."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from sagas import bell
from sagas.engine.work import work
from sagas.loops import keeper, one_of_many
from sagas.sql import rows
from sagas.steps import all_steps

#: Work overdue by so much is done here: the broker is empty, flushed or dead, or no worker listens.
OVERDUE_SECONDS = 10.0

# One probe of the index per step name, so the cost does not grow with what is due.
DUE = """
SELECT n.name, waybill_now() - d.wake_at
  FROM unnest(%s::text[]) AS n (name)
  CROSS JOIN LATERAL (
    SELECT t.wake_at FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id
     WHERE t.name = n.name AND t.finished_at IS NULL AND t.wake_at <= waybill_now()
       AND s.hold IN ('none', 'waiting')
       AND NOT EXISTS (SELECT FROM sagas_intent i WHERE i.saga_id = s.id AND i.state = 'new')
     ORDER BY t.wake_at LIMIT 1) d
 WHERE NOT EXISTS (SELECT FROM sagas_pause p WHERE p.scope = 'step' AND p.name = n.name)
   AND NOT EXISTS (SELECT FROM sagas_pause p
                    WHERE p.scope = 'provider' AND p.name = (%s::text[])[array_position(%s::text[], n.name)])
"""


@keeper("sagas.sweep", every=0.5)
def sweep(*, now: datetime) -> int:
    """Ring for every step with due work; do overdue work in this process."""
    del now
    count = 0
    for name, overdue in due_steps():
        rung = bell.ring(name)
        if not rung or overdue.total_seconds() > OVERDUE_SECONDS:
            count += one_of_many(name, partial(work, name, queues=every_queue(), seconds=2.0))
    return count


def due_steps() -> list[tuple[str, timedelta]]:
    """Names of steps with due work, and how long the oldest has waited."""
    steps = all_steps()
    names = sorted(steps)
    found = rows(DUE, [names, [steps[n].provider for n in names], names])
    return [(name, overdue) for name, overdue in found]


def every_queue() -> frozenset[str]:
    """All queues: in this process there is nobody to ring."""
    return frozenset(step.queue for step in all_steps().values())
