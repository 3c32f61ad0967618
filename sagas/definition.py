"""Saga definitions: the business reads them, start-up checks them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from sagas.steps import all_steps, get_step


class Kind(Enum):
    """What may happen to a step once it is done."""

    COMPENSATABLE = "compensatable"
    PIVOT = "pivot"
    RETRIABLE = "retriable"


@dataclass(frozen=True)
class StepSpec:
    """One step as it stands in a definition."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Parallel:
    """Steps that may run side by side. The saga goes on when all are done."""

    steps: tuple[StepSpec, ...]


def compensatable(name: str) -> StepSpec:
    """A step that can be given back by its undo."""
    return StepSpec(name, Kind.COMPENSATABLE)


def pivot(name: str) -> StepSpec:
    """The point of no return: after it the saga only goes forward."""
    return StepSpec(name, Kind.PIVOT)


def retriable(name: str) -> StepSpec:
    """A step after the pivot: it may be late, it may not refuse."""
    return StepSpec(name, Kind.RETRIABLE)


def parallel(*steps: StepSpec) -> Parallel:
    """Let `steps` stand in one stage."""
    return Parallel(tuple(steps))


@dataclass(frozen=True)
class SagaNote:
    """What a definition's hooks are told about a saga."""

    saga_id: UUID
    shop_id: UUID
    subject_id: UUID
    reference: str
    reason: str
    actor: str
    context: dict[str, Any]


Hook = Callable[[Sequence[SagaNote], datetime], None]


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """The local steps by which a saga lets go of what it holds when a person ends it as completed, or as compensated.

    They run in the transaction that ends it, in this order, whether they ran before or not. One that a person skips
    lets go as well.
    """

    completed: tuple[str, ...] = ()
    compensated: tuple[str, ...] = ()


class BadDefinition(Exception):
    """A definition that could not be finished. Raised at start-up, not at 3 a.m."""


@dataclass(frozen=True)
class SagaDefinition:
    """One version of one business process.

    `context` names what a saga is started with. `late_cancel` is called, in the engine's transaction, with
    the sagas whose cancel intent came after the pivot; `attention` with those that were parked, `waits` with those
    that began to wait for somebody outside. `deadline` bounds the way to the pivot. `choreographable` says that apps
    may also go through it without a coordinator; no other saga of the same subject then publishes what those apps go
    by before it has ended. `by_hand` lets go of what a person ended. `countermeasures` documents the isolation of
    interleaved sagas.
    """

    name: str
    version: int
    steps: Sequence[StepSpec | Parallel]
    context: tuple[str, ...] = ()
    deadline: timedelta | None = None
    choreographable: bool = False
    late_cancel: Hook | None = None
    attention: Hook | None = None
    waits: Hook | None = None
    by_hand: ByHand = ByHand()
    countermeasures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        register(self)

    @property
    def stages(self) -> tuple[tuple[StepSpec, ...], ...]:
        """The steps as stages: a single step is a stage of one."""
        return tuple(s.steps if isinstance(s, Parallel) else (s,) for s in self.steps)


@dataclass(frozen=True)
class Place:
    """Where a step stands: its stage, its position in the whole definition, and how it may end."""

    stage: int
    position: int
    spec: StepSpec


@dataclass(frozen=True)
class Plan:
    """A definition prepared for the engine: looked up by step position, never searched."""

    definition: SagaDefinition
    places: tuple[Place, ...]
    pivot_stage: int
    stages: tuple[tuple[Place, ...], ...]

    @property
    def name(self) -> str:
        return self.definition.name

    def undo_of(self, position: int) -> str | None:
        """The name of the undo of the step at `position`, if it has one."""
        place = self.places[position]
        return get_step(place.spec.name).undo if place.spec.kind is Kind.COMPENSATABLE else None


_definitions: dict[tuple[str, int], SagaDefinition] = {}
_plans: dict[tuple[str, int], Plan] = {}


def register(definition: SagaDefinition) -> None:
    """Make a definition known. A name and version can be taken once."""
    key = (definition.name, definition.version)
    if key in _definitions:
        raise BadDefinition(f"{definition.name} version {definition.version} is defined twice.")
    _definitions[key] = definition


def unregister(name: str, version: int = 1) -> None:
    """Forget a definition (for tests that make their own)."""
    _definitions.pop((name, version), None)
    _plans.pop((name, version), None)


def definitions() -> list[SagaDefinition]:
    """Every known definition, oldest version first."""
    return [_definitions[key] for key in sorted(_definitions)]


def latest(name: str) -> SagaDefinition:
    """The newest version of a definition. Raises KeyError when there is none."""
    return (
        _definitions[max(key for key in _definitions if key[0] == name)] if _known(name) else _missing(name)
    )


def _known(name: str) -> bool:
    return any(key[0] == name for key in _definitions)


def _missing(name: str) -> SagaDefinition:
    raise KeyError(name)


def plan(name: str, version: int) -> Plan | None:
    """The prepared definition a saga began with, or None when this code cannot finish it."""
    key = (name, version)
    if key not in _plans and key in _definitions:
        _plans[key] = prepare(_definitions[key])
    return _plans.get(key)


def prepare(definition: SagaDefinition) -> Plan:
    """Number the steps and find the pivot. Without a pivot every stage is behind it: the saga only goes forward,
    unless it has compensatable steps, in which case everything may be given back."""
    places: list[Place] = []
    stages: list[tuple[Place, ...]] = []
    for number, stage in enumerate(definition.stages):
        row = tuple(Place(number, len(places) + i, spec) for i, spec in enumerate(stage))
        places.extend(row)
        stages.append(row)
    return Plan(definition, tuple(places), _pivot_stage(definition), tuple(stages))


def _pivot_stage(definition: SagaDefinition) -> int:
    for number, stage in enumerate(definition.stages):
        if any(spec.kind is not Kind.COMPENSATABLE for spec in stage):
            return number
    return len(definition.stages)


def check(definition: SagaDefinition) -> list[str]:
    """Everything wrong with a definition, in words. An empty list means that it can be finished."""
    problems = [*_check_kinds(definition), *_check_handlers(definition), *_check_by_hand(definition)]
    return problems or _check_needs(definition)


def _check_kinds(definition: SagaDefinition) -> list[str]:
    problems = []
    names = [spec.name for stage in definition.stages for spec in stage]
    kinds = [spec.kind for stage in definition.stages for spec in stage]
    if not names:
        problems.append("has no steps")
    if len(set(names)) != len(names):
        problems.append("names a step twice")
    if kinds.count(Kind.PIVOT) > 1:
        problems.append("has two pivots")
    if kinds != sorted(kinds, key=list(Kind).index):
        problems.append("has a step out of order: compensatable steps, then the pivot, then retriable steps")
    shared = [stage for stage in definition.stages if len(stage) > 1]
    if any(spec.kind is Kind.PIVOT for stage in shared for spec in stage):
        problems.append("has its pivot in a parallel group")
    elif any(len({spec.kind for spec in stage}) > 1 for stage in shared):
        problems.append("has a parallel group of which only a part can be given back")
    return problems


def _check_handlers(definition: SagaDefinition) -> list[str]:
    problems: list[str] = []
    undos: list[str | None] = []
    for stage in definition.stages:
        for spec in stage:
            try:
                step = get_step(spec.name)
            except KeyError:
                problems.append(f"{spec.name} has no handler")
                continue
            if spec.kind is Kind.COMPENSATABLE:
                problems += _check_undo(spec.name, step.undo)
                undos.append(step.undo)
    # A batch at an undo must not hold two rows of one saga.
    shared = sorted({undo for undo in undos if undo is not None and undos.count(undo) > 1})
    return problems + [f"{undo} undoes two steps" for undo in shared]


def _check_by_hand(definition: SagaDefinition) -> list[str]:
    known = all_steps()
    names = definition.by_hand.completed + definition.by_hand.compensated
    return [
        f"{n} lets go by hand and is no local step" for n in names if n not in known or known[n].local is None
    ]


def _check_undo(name: str, undo: str | None) -> list[str]:
    if undo is None:
        return [f"{name} is compensatable and declares no undo"]
    try:
        handler = get_step(undo)
    except KeyError:
        return [f"{undo}, the undo of {name}, has no handler"]
    return [] if handler.is_undo else [f"{undo}, the undo of {name}, is not registered as a compensation"]


def _check_needs(definition: SagaDefinition) -> list[str]:
    problems = []
    known = set(definition.context)
    for stage in definition.stages:
        for spec in stage:
            missing = set(get_step(spec.name).needs) - known
            problems += [
                f"{spec.name} needs {need}, which nothing before it gives" for need in sorted(missing)
            ]
        known |= {given for spec in stage for given in get_step(spec.name).gives}
        problems += [p for spec in stage for p in _check_undo_needs(spec, known)]
    return problems


def _check_undo_needs(spec: StepSpec, known: set[str]) -> list[str]:
    if spec.kind is not Kind.COMPENSATABLE:
        return []
    undo = get_step(get_step(spec.name).undo or "")
    return [
        f"{undo.name} needs {need}, which nothing before it gives" for need in sorted(set(undo.needs) - known)
    ]


def check_all() -> None:
    """Raise BadDefinition with every problem of every definition."""
    problems = [f"{d.name} v{d.version} {p}" for d in definitions() for p in check(d)]
    if problems:
        raise BadDefinition("; ".join(problems))
