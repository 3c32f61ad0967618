"""One saga and its rows while they are decided on: what is touched, made, ended and held. Pure, like the rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from random import Random
from uuid import UUID

from sagas.definition import Kind, Plan
from sagas.engine.rows import (
    COMPENSATING,
    HISTORY,
    NONE,
    PARKED,
    PAUSED,
    WAITING,
    Change,
    SagaRow,
    StepRow,
)
from sagas.ids import operation_key, uuid7
from sagas.verdicts import Answer, Unavailable, Unknown, Waiting

OPERATIONS = "operations"  #: The queue of people who look after what is parked.


@lru_cache(maxsize=64)
def written(now: datetime) -> str:
    """A moment as a history tells it. A batch has one moment for hundreds of rows."""
    return now.isoformat(timespec="milliseconds")


class OpenCase:
    """Works on copies; `change()` tells what differs."""

    def __init__(
        self, plan: Plan, saga: SagaRow, steps: Iterable[StepRow], *, now: datetime, rng: Random
    ) -> None:
        self.plan, self.now, self.rng = plan, now, rng
        self.saga = saga.copy()
        self.rows = {(r.position, r.direction): r.copy() for r in steps}
        self.before = saga
        self.touched: set[UUID] = set()
        self.created: list[StepRow] = []
        self.turned_back = self.late = False

    def change(self) -> Change:
        """Everything that was decided."""
        self._hold_back_while_paused()
        if changed := self.saga != self.before:
            self.saga.moved_at = self.now
        made = {r.id for r in self.created}
        updated = [r for r in self.rows.values() if r.id in self.touched and r.id not in made]
        return Change(self.saga, changed, updated, self.created, self.turned_back, self.late)

    # --- holds ---------------------------------------------------------------------------------------------

    def park(self, reason: str) -> None:
        """Stand still until a person decides."""
        self._hold(PARKED, reason, owner=OPERATIONS)

    def _hold(self, hold: str, reason: str, *, owner: str) -> None:
        if self.saga.hold == PAUSED or (self.saga.hold == PARKED and hold == WAITING):
            return
        since = self.saga.hold_since if self.saga.hold == hold else self.now
        self.saga.hold, self.saga.hold_reason, self.saga.hold_owner = hold, reason[:200], owner
        self.saga.hold_since = since or self.now

    def lift(self) -> None:
        """Let the saga go on."""
        self.saga.hold, self.saga.hold_reason, self.saga.hold_owner, self.saga.hold_since = NONE, "", "", None

    def lift_after(self, row: StepRow) -> None:
        """Lift what this row was waiting or parked for, unless a neighbour in its stage is held for its own sake."""
        others = [r for r in self.rows.values() if r.open and r.id != row.id]
        if self.saga.hold == WAITING:
            self.lift()
            for waiting in [r for r in others if r.verdict == Waiting.word]:
                self._hold(WAITING, waiting.code, owner="")
        elif self.saga.hold == PARKED:
            self.lift()
            if self.saga.state == COMPENSATING:
                return  # undos wait for one another; their own rule tells what stands still
            if stuck := [r for r in others if r.wake_at is None and r.lease_until is None]:
                self.park("; ".join(f"{r.name}: {r.code}" for r in stuck))

    def _hold_back_while_paused(self) -> None:
        if self.saga.hold != PAUSED:
            return
        for row in self.rows.values():
            if row.open and row.wake_at is not None and row.lease_until is None:
                self.touch(row).wake_at = None

    def keep_promise(self, until: datetime | None) -> None:
        """Let the saga's deadline not come before somebody's time is over; from then on it has all of its own."""
        allowed = self.plan.definition.deadline
        if until is not None and allowed is not None and self.saga.deadline_at is not None:
            self.saga.deadline_at = max(self.saga.deadline_at, until + allowed)

    # --- rows ----------------------------------------------------------------------------------------------

    def touch(self, row: StepRow) -> StepRow:
        """The case's own copy of a row, marked as changed."""
        mine = self.rows[row.position, row.direction]
        self.touched.add(mine.id)
        return mine

    def finish(self, row: StepRow, state: str, result: dict[str, object] | None = None) -> None:
        """End a row. Its result goes into the saga's context."""
        row = self.touch(row)
        row.state, row.finished_at = state, self.now
        row.wake_at = row.lease_until = None
        if result:
            row.result = result
            self.saga.context = {**self.saga.context, **result}

    def new_intent(self, row: StepRow) -> None:
        """Proven not done: the next try is a new intent with a key the provider has not seen."""
        row.intent_number += 1
        row.key = operation_key(self.saga.shop_id, self.saga.reference, row.name, row.intent_number)
        row.wake_at = self.now

    def anew(self, row: StepRow) -> None:
        """What a step goes by has changed: what was refused or waited for is asked again, as a new intent.

        One that stands still for a person stays so.
        """
        row = self.touch(row)
        stands_still = row.wake_at is None
        if row.verdict == Waiting.word:
            self.lift_after(row)
        self.new_intent(row)
        row.tries, row.verdict, row.code, row.detail = 0, "", "", ""
        row.wake_at = None if stands_still else row.wake_at
        self._remember(row, "anew")

    def _create(
        self, position: int, direction: str, name: str, *, wake_at: datetime | None, key: UUID | None = None
    ) -> None:
        key = key or operation_key(self.saga.shop_id, self.saga.reference, name)
        row = StepRow(uuid7(), self.saga.id, position, direction, name, key, wake_at=wake_at)
        row.epoch = self.saga.epoch
        self.rows[position, direction] = row
        self.created.append(row)

    def _kind(self, row: StepRow) -> Kind:
        return self.plan.places[row.position].spec.kind

    def _note(self, row: StepRow, outcome: Answer, *, late: bool = False) -> None:
        # "Not now" does not answer what an earlier attempt did: that stays unknown.
        still_unknown = row.verdict == Unknown.word and isinstance(outcome, Unavailable)
        row.verdict = row.verdict if late or still_unknown else outcome.word
        same = bool(row.history) and row.history[-1][2:4] == [outcome.word, getattr(outcome, "code", "")]
        if same and not getattr(outcome, "spends", True):
            row.history = row.history[:-1]  # an outage is told once, by its latest moment
        row.code, row.detail = getattr(outcome, "code", ""), getattr(outcome, "detail", "")[:500]
        self._remember(row, f"late {outcome.word}" if late else outcome.word)

    def _remember(self, row: StepRow, word: str) -> None:
        entry = [written(self.now), row.attempt, word, row.code, row.worker]
        row.history = [*row.history, entry][-HISTORY:]
