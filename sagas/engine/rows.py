"""Plain copies of the rows the rules decide on. No database here."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

DO, UNDO = "do", "undo"

PENDING, RUNNING, COMPENSATING = "pending", "running", "compensating"
COMPLETED, COMPENSATED = "completed", "compensated"
FINAL = (COMPLETED, COMPENSATED)

ORCHESTRATION, CHOREOGRAPHY = "orchestration", "choreography"

NONE, WAITING, PARKED, PAUSED = "none", "waiting", "parked", "paused"

DUE, DONE, REFUSED, SKIPPED, GAVE_UP, DROPPED = "due", "done", "refused", "skipped", "gave_up", "dropped"

#: How many attempts a step remembers.
HISTORY = 12


@dataclass(slots=True)
class SagaRow:
    """A saga as the rules see it."""

    id: UUID
    definition: str
    version: int
    shop_id: UUID
    subject_id: UUID
    reference: str
    search_key: str
    amount_minor: int
    currency: str
    context: dict[str, Any]
    correlation_id: str
    state: str = PENDING
    hold: str = NONE
    hold_reason: str = ""
    hold_owner: str = ""
    hold_since: datetime | None = None
    stage: int = 0
    epoch: int = 0
    cause: str = ""
    cause_code: str = ""
    cause_step: str = ""
    deadline_at: datetime | None = None
    moved_at: datetime | None = None
    finished_at: datetime | None = None
    style: str = ORCHESTRATION

    @property
    def choreographed(self) -> bool:
        """Whether apps go on by themselves from events, and nobody tells them to."""
        return self.style == CHOREOGRAPHY

    def copy(self) -> SagaRow:
        """A copy to decide on. Its context is replaced, never written into."""
        return SagaRow(*_SAGA_VALUES(self))


@dataclass(slots=True)
class StepRow:
    """A step of a saga in one direction, as the rules see it."""

    id: UUID
    saga_id: UUID
    position: int
    direction: str
    name: str
    key: UUID
    state: str = DUE
    epoch: int = 0
    attempt: int = 0
    tries: int = 0
    intent_number: int = 1
    verdict: str = ""
    code: str = ""
    detail: str = ""
    memo: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    history: list[Any] = field(default_factory=list)
    wake_at: datetime | None = None
    lease_until: datetime | None = None
    worker: str = ""
    began_at: datetime | None = None
    finished_at: datetime | None = None

    def copy(self) -> StepRow:
        """A copy to decide on. Its memo, result and history are replaced, never written into."""
        return StepRow(*_STEP_VALUES(self))

    @property
    def open(self) -> bool:
        return self.state == DUE

    @property
    def settled(self) -> bool:
        """Whether it is known what it did: nothing it began is still out there."""
        return not self.open or (self.lease_until is None and self.verdict != "unknown")


# A tenth of the time of dataclasses.replace; copying rows is most of what the rules cost.
_SAGA_VALUES = attrgetter(*[f.name for f in fields(SagaRow)])
_STEP_VALUES = attrgetter(*[f.name for f in fields(StepRow)])


@dataclass(slots=True)
class Change:
    """What the rules decided for one saga: rows to write, and who must be told."""

    saga: SagaRow
    saga_changed: bool
    updated: list[StepRow]
    created: list[StepRow]
    turned_back: bool = False
    late: bool = False

    def due_names(self) -> list[str]:
        """Names of the steps that this change made due."""
        return [r.name for r in (*self.created, *self.updated) if r.open and r.wake_at and not r.lease_until]
