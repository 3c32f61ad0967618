"""Plain steps forward of one transaction, written down together: one statement for a step, or for a run of several."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sagas.engine import store
from sagas.engine.batch import Claimed, follow_up, plan_of
from sagas.engine.core import Outcome
from sagas.engine.plain import forward, is_plain
from sagas.engine.rows import Change, SagaRow, StepRow
from sagas.verdicts import Done

A = TypeVar("A", bound=Outcome)


class Advance:
    """What has been decided and not yet been written. Must be written before its transaction ends.

    A saga may go several steps: rows that are made and run in between are written once, as they ended.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._changes: dict[UUID, Change] = {}
        self._before: dict[UUID, SagaRow] = {}
        self._made: list[StepRow] = []
        self._gate: store.Gate | None = None

    def sort(
        self, answers: Sequence[tuple[Claimed, Outcome]]
    ) -> tuple[list[tuple[Claimed, Done]], list[tuple[Claimed, Outcome]]]:
        """The answers that are plain steps forward, and the others."""
        plain: list[tuple[Claimed, Done]] = []
        rest: list[tuple[Claimed, Outcome]] = []
        for claimed, outcome in answers:
            if isinstance(outcome, Done) and is_plain(
                plan_of(claimed.saga), claimed.saga, claimed.row, outcome
            ):
                plain.append((claimed, outcome))
            else:
                rest.append((claimed, outcome))
        return plain, rest

    def go(self, plain: Sequence[tuple[Claimed, Done]]) -> list[Change]:
        """Decide on plain answers."""
        return [self._go(claimed, outcome) for claimed, outcome in plain]

    def _go(self, claimed: Claimed, outcome: Done) -> Change:
        saga = claimed.saga
        change = forward(plan_of(saga), saga, claimed.row, outcome, now=self.now)
        self._made += change.created
        earlier = self._changes.get(saga.id)
        if earlier is None:
            self._changes[saga.id], self._before[saga.id] = change, saga
        else:  # its row was made a moment ago: it is written as it stands now
            earlier.saga, earlier.created = change.saga, [*earlier.created, *change.created]
        return change

    def free(self, name: str, moved: Sequence[Change]) -> list[Change]:
        """Those of these sagas that may go on to step `name` in this transaction.

        Looked up once: what somebody asks from now on comes after this commit.
        """
        if self._gate is None:
            self._gate = store.gate([change.saga.id for change in moved])
        if name in self._gate.stopped:
            return []
        return [change for change in moved if change.saga.id not in self._gate.asked]

    def write(self) -> set[str]:
        """Write what has been decided, in the caller's transaction. The names of steps that are due because of it."""
        changes = list(self._changes.values())
        if changes:
            store.advance(changes, now=self.now)
            follow_up(changes, self._before, deferred=self._gate is None or self._gate.deferred)
            self._changes, self._before = {}, {}
        return {row.name for row in self._made if row.open}
