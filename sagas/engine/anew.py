"""What a step goes by was corrected: a step that waits, or has not asked yet, asks with what is right now.

Whether it is in time is decided under the saga's lock: nothing that was corrected in time is passed over, and nothing
changes under a call that is out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from sagas import bell
from sagas.engine import store
from sagas.engine.batch import RNG, commit, plan_of
from sagas.engine.cases import open_case
from sagas.engine.core import Case
from sagas.engine.rows import COMPENSATING, DO, FINAL, SagaRow, StepRow

#: `waits`: it was refused, or put off, and nothing came of it. `early`: it has not asked yet. `busy`: it has asked, and
#: nobody knows yet what came of it. `over`: it is done, was refused for good, or is being given back.
Standing = Literal["waits", "early", "busy", "over"]
IN_TIME = ("waits", "early")


class Anew:
    """A step that may be asked anew. Locks its saga in the caller's transaction: make it before rows of apps."""

    def __init__(self, saga_id: UUID, step: str) -> None:
        self._now, sagas = store.lock_sagas([saga_id])
        self._step = step
        self._case = _open(sagas[saga_id], self._now) if self._now is not None else None

    @property
    def standing(self) -> Standing:
        """Where the step stands. As long as the transaction lasts it stays there."""
        return "over" if self._case is None else standing_of(self._case, self._step)

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Put facts in the saga's context; a step that waits asks again, with a new key. Only if it is in time.

        Bells ring after the commit. A saga that is parked or paused stays so, and asks anew when it goes on. Raises
        ValueError for facts with which its definition does not start.
        """
        case, now = self._case, self._now
        if case is None or now is None or self.standing not in IN_TIME:
            raise ValueError(f"{self._step} is {self.standing}.")
        correct(case, self._step, facts)
        due = commit([case.change()], {case.saga.id: case.before}, now=now).due
        if due:
            transaction.on_commit(partial(bell.ring, *sorted(due)), robust=True)


def standing_of(case: Case, step: str) -> Standing:
    """Where a step stands, by the rows alone."""
    row, saga = _row(case, step), case.saga
    if saga.cause or saga.state in (COMPENSATING, *FINAL) or (row is not None and not row.open):
        return "over"
    if row is not None and not row.settled:
        return "busy"
    return "waits" if row is not None and row.attempt else "early"


def correct(case: Case, step: str, facts: Mapping[str, Any]) -> None:
    """The rule, pure: what the saga was started with is corrected, and a step that has asked in vain asks anew."""
    if unknown := set(facts) - set(case.plan.definition.context):
        raise ValueError(f"{case.plan.name} does not start with {sorted(unknown)}.")
    case.saga.context = {**case.saga.context, **facts}
    row = _row(case, step)
    if row is not None and row.attempt:
        case.anew(row)


def _open(saga: SagaRow, now: datetime) -> Case:
    known = store.steps_of([saga.id]).get(saga.id, [])
    return open_case(plan_of(saga), saga, known, now=now, rng=RNG)


def _row(case: Case, step: str) -> StepRow | None:
    return next((r for r in case.rows.values() if r.name == step and r.direction == DO), None)


__all__ = ["IN_TIME", "Anew", "Standing", "correct", "standing_of"]
