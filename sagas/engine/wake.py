"""News from outside: steps that wait for a provider's answer look now instead of later, and late successes are told.

A wake-up changes when a step is looked at, never what it finds: the step asks its provider itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Literal
from uuid import UUID

from django.db import transaction

from sagas import bell
from sagas.engine import store
from sagas.engine.batch import RNG, commit, plan_of
from sagas.engine.cases import open_case
from sagas.engine.rows import DO, Change, SagaRow, StepRow
from sagas.sql import rows
from sagas.verdicts import Done

#: `woken`: it looks now. `busy`: a worker is at it. `held`: it stands still behind a person or another step.
Standing = Literal["woken", "busy", "held"]

# Whoever is at a row holds its lock or its lease: it is passed over, and said to be busy.
WAKE = """
WITH open AS (
  SELECT t.id, t.saga_id, t.name,
         s.hold IN ('parked', 'paused') OR (t.wake_at IS NULL AND t.lease_until IS NULL) AS held
    FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id
   WHERE t.saga_id = ANY(%(sagas)s::uuid[]) AND t.name = ANY(%(names)s::text[]) AND t.finished_at IS NULL
), free AS (
  SELECT t.id FROM sagas_step t
   WHERE t.id IN (SELECT id FROM open WHERE NOT held)
     AND t.finished_at IS NULL AND t.lease_until IS NULL AND t.wake_at IS NOT NULL
   ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED
), woken AS (
  UPDATE sagas_step t SET wake_at = least(t.wake_at, waybill_now()) FROM free WHERE t.id = free.id RETURNING t.id
)
SELECT o.saga_id, o.name, CASE WHEN o.held THEN 'held' WHEN w.id IS NULL THEN 'busy' ELSE 'woken' END
  FROM open o LEFT JOIN woken w ON w.id = o.id
"""
AT_WORK = """
SELECT DISTINCT t.saga_id FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id
 WHERE t.saga_id = ANY(%s::uuid[]) AND t.name = ANY(%s::text[]) AND t.finished_at IS NULL
   AND (t.wake_at IS NOT NULL OR t.lease_until IS NOT NULL) AND s.hold IN ('none', 'waiting')
"""


def wake_steps(saga_ids: Collection[UUID], names: Iterable[str]) -> dict[UUID, Standing]:
    """Have the open steps of these names look now, in the caller's transaction; their bells ring after its commit.

    How the most lively open step of each saga stands; a saga without one is left out. One that is leased, or that
    a worker is just writing, is not touched; nor is one that a person or a newer undo holds back.
    """
    found = rows(WAKE, {"sagas": list(saga_ids), "names": list(names)}) if saga_ids else []
    woken = sorted({name for _, name, standing in found if standing == "woken"})
    if woken:
        transaction.on_commit(partial(bell.ring, *woken), robust=True)
    lively: dict[UUID, Standing] = {}
    for wanted in ("held", "woken", "busy"):
        lively |= {saga: standing for saga, _, standing in found if standing == wanted}
    return lively


def at_work(saga_ids: Collection[UUID], names: Iterable[str]) -> set[UUID]:
    """Which of these sagas have an open step of these names that goes on by itself."""
    return {saga for (saga,) in rows(AT_WORK, [list(saga_ids), list(names)])} if saga_ids else set()


class Latecomers:
    """Sagas locked to be told of what their steps did after all, by whoever found it out outside of them.

    Lock them before the rows of an app. `save` writes what the rules decide about what was told.
    """

    def __init__(self, saga_ids: Collection[UUID]) -> None:
        self.now, self.sagas = store.lock_sagas(saga_ids) if saga_ids else (None, {})
        self._told: dict[UUID, list[tuple[str, Done]]] = {}

    def correlation(self, saga_id: UUID) -> str:
        """The correlation id of a saga; empty when there is no such saga."""
        saga = self.sagas.get(saga_id)
        return saga.correlation_id if saga is not None else ""

    def succeeded(self, saga_id: UUID, step: str, result: Done) -> None:
        """A step of this saga has succeeded, though nobody waits for it any more.

        If the saga has turned back, even to its end, the step's undo becomes due again; it never moves forward.
        """
        if saga_id in self.sagas:
            self._told.setdefault(saga_id, []).append((step, result))

    def save(self) -> None:
        """Write it in the caller's transaction; bells ring after its commit."""
        if self.now is None or not self._told:
            return
        known = store.steps_of(self._told)
        changes = [self._change(self.sagas[i], known.get(i, []), self.now) for i in self._told]
        due = commit(changes, self.sagas, now=self.now).due
        if due:
            transaction.on_commit(partial(bell.ring, *sorted(due)), robust=True)

    def _change(self, saga: SagaRow, steps: list[StepRow], now: datetime) -> Change:
        case = open_case(plan_of(saga), saga, steps, now=now, rng=RNG)
        do: Mapping[str, StepRow] = {row.name: row for row in case.rows.values() if row.direction == DO}
        for name, result in self._told[saga.id]:
            if (row := do.get(name)) is not None:
                case.late_answer(row, result)
        return case.change()
