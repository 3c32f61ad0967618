"""Which rules decide on a saga: the engine's own, or those of a choreography."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from random import Random

from sagas.definition import Plan
from sagas.engine.core import Case
from sagas.engine.part import Part
from sagas.engine.rows import SagaRow, StepRow


def open_case(plan: Plan, saga: SagaRow, steps: Iterable[StepRow], *, now: datetime, rng: Random) -> Case:
    """A saga and its rows, to be decided on by the rules of its style."""
    return (Part if saga.choreographed else Case)(plan, saga, steps, now=now, rng=rng)
