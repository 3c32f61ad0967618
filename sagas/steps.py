"""Steps: how an app offers its work to a saga. The engine addresses a step by its name only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sagas.retry import RetryPolicy
from sagas.verdicts import Answer, Refused


@dataclass(frozen=True, slots=True)
class ByPerson:
    """Who has ended a saga by hand, or skipped a step of it, and why."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepCall:
    """One saga's request to one step. A handler gets a batch of them and answers one verdict each, in order.

    `key` is the idempotency key of the step; its undo is called with the same key. `input` holds only what
    the step declared it needs or wants. `cause` tells an undo why the saga turned back: refused, deadline or intent.
    `by_hand`: a person has ended the saga, and this step only lets go. It is handed all
    the saga knows; of what it needs that may be nothing.
    """

    saga_id: UUID
    step_id: UUID
    step: str
    key: UUID
    subject_id: UUID
    shop_id: UUID
    reference: str
    search_key: str
    input: Mapping[str, Any]
    subject: Mapping[str, Any] | None
    amount_minor: int
    currency: str
    attempt: int
    epoch: int
    intent_number: int
    memo: Mapping[str, Any]
    now: datetime
    correlation_id: str
    cause: str = ""
    cause_code: str = ""
    settling: bool = False
    late: bool = False
    by_hand: ByPerson | None = None


@dataclass(frozen=True)
class Continue:
    """Store `memo` durably on the step, then ask again at once. For calls that need two requests."""

    memo: dict[str, Any]


class NotDone(Refused):
    """Settled: the provider has proven that it never did it. Going forward, the step begins a new intent."""

    word = "not_done"
    code = "not_done"


@dataclass(frozen=True)
class Ask:
    """What a thread needs to make the outside call: the saga's call and the app's own plain payload."""

    call: StepCall
    payload: Mapping[str, Any] = field(default_factory=dict)


class ExternalStep(ABC):
    """A step that calls somebody outside. `begin` and `record` run in short transactions, the rest in threads."""

    @abstractmethod
    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        """In the claiming transaction: write what is about to be tried. A verdict instead of an Ask ends it here."""

    @abstractmethod
    def ask(self, ask: Ask) -> Answer | Continue:
        """In a thread, outside any transaction: make the call and nothing else."""

    @abstractmethod
    def settle(self, ask: Ask) -> Answer | Continue:
        """In a thread: find out what an earlier attempt did. `NotDone` if it is proven that it did nothing."""

    @abstractmethod
    def record(self, answers: Sequence[tuple[StepCall, Answer | Continue]]) -> Sequence[Answer | Continue]:
        """In one transaction: store the truth. Safe to repeat; accepts late answers; may change a verdict."""


LocalHandler = Callable[[Sequence[StepCall]], Sequence[Answer]]


@dataclass(frozen=True)
class Step:
    """A registered handler. Exactly one of `local` and `external` is set."""

    name: str
    undo: str | None
    needs: tuple[str, ...]
    gives: tuple[str, ...]
    subject: bool
    provider: str
    retry: RetryPolicy
    local: LocalHandler | None = None
    external: ExternalStep | None = None
    is_undo: bool = False
    hot: bool = False  #: Holds rows that many orders want.
    wants: tuple[str, ...] = ()  #: Handed over where the saga has it, else None.

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it is handed over of a saga's context."""
        return self.needs + self.wants

    @property
    def queue(self) -> str:
        """The Celery queue: the app that owns the step."""
        return self.name.partition(".")[0]


_steps: dict[str, Step] = {}

LH = TypeVar("LH", bound=LocalHandler)
ES = TypeVar("ES", bound=type[ExternalStep])


def _register(step: Step) -> None:
    if step.name in _steps:
        raise ValueError(f"Step {step.name} is registered twice.")
    _steps[step.name] = step


def local_step(
    name: str,
    *,
    undo: str | None = None,
    needs: tuple[str, ...] = (),
    gives: tuple[str, ...] = (),
    subject: bool = False,
    retry: RetryPolicy | None = None,
    hot: bool = False,
) -> Callable[[LH], LH]:
    """Register a step that runs inside the engine's transaction: exactly once.

    A `hot` step holds rows that many orders want at once: a full batch commits right after it.
    """

    def register(handler: LH) -> LH:
        policy = retry or RetryPolicy()
        _register(Step(name, undo, needs, gives, subject, "", policy, local=handler, hot=hot))
        return handler

    return register


def compensation(
    name: str,
    *,
    needs: tuple[str, ...] = (),
    subject: bool = False,
    retry: RetryPolicy | None = None,
    hot: bool = False,
) -> Callable[[LH], LH]:
    """Register the local undo of a step. It must work when the step never ran (a tombstone), and twice.

    `hot` as for a step.
    """

    def register(handler: LH) -> LH:
        policy = retry or RetryPolicy.for_undo()
        _register(Step(name, None, needs, (), subject, "", policy, local=handler, is_undo=True, hot=hot))
        return handler

    return register


def external_step(
    name: str,
    *,
    provider: str,
    undo: str | None = None,
    needs: tuple[str, ...] = (),
    gives: tuple[str, ...] = (),
    subject: bool = False,
    retry: RetryPolicy | None = None,
    wants: tuple[str, ...] = (),
) -> Callable[[ES], ES]:
    """Register a step that calls `provider` outside any transaction, under a lease and with a key.

    What it `needs` every definition must have before it; what it `wants` only some have.
    """

    def register(cls: ES) -> ES:
        policy = retry or RetryPolicy()
        _register(Step(name, undo, needs, gives, subject, provider, policy, external=cls(), wants=wants))
        return cls

    return register


def external_compensation(
    name: str,
    *,
    provider: str,
    needs: tuple[str, ...] = (),
    subject: bool = False,
    retry: RetryPolicy | None = None,
    wants: tuple[str, ...] = (),
) -> Callable[[ES], ES]:
    """Register the external undo of a step. `Refused` means it cannot be undone: the saga is parked with the rest."""

    def register(cls: ES) -> ES:
        policy = retry or RetryPolicy.for_undo()
        step = Step(
            name, None, needs, (), subject, provider, policy, external=cls(), is_undo=True, wants=wants
        )
        _register(step)
        return cls

    return register


def get_step(name: str) -> Step:
    """The handler registered under `name`. Raises KeyError when this code has none."""
    return _steps[name]


def all_steps() -> dict[str, Step]:
    """Every registered handler by name."""
    return dict(_steps)
