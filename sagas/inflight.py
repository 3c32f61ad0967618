"""Which sagas in flight this code could not finish: asked before a deploy and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagas.definition import Plan, plan
from sagas.engine.rows import DO
from sagas.sql import rows
from sagas.steps import all_steps

BY_DEFINITION = """
SELECT definition, version, count(*), (array_agg(reference ORDER BY id))[1]
  FROM sagas_saga WHERE finished_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2
"""
BY_STEP = """
SELECT s.definition, s.version, t.position, t.direction, t.name, count(*),
       (array_agg(s.reference ORDER BY s.id))[1]
  FROM sagas_saga s JOIN sagas_step t ON t.saga_id = s.id
 WHERE s.finished_at IS NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""


@dataclass(frozen=True)
class Stranded:
    """Sagas that cannot go on with this code, why, and one of them."""

    definition: str
    version: int
    problem: str
    count: int
    example: str


def in_flight() -> list[tuple[str, int, int]]:
    """Unfinished sagas by definition and version."""
    return [(name, version, count) for name, version, count, _ in rows(BY_DEFINITION)]


def stranded() -> list[Stranded]:
    """Everything in flight that this code could not finish. Reads unfinished sagas only."""
    gone = [
        Stranded(name, version, "this code has no such version", count, example)
        for name, version, count, example in rows(BY_DEFINITION)
        if plan(name, version) is None
    ]
    return gone + [s for row in rows(BY_STEP) if (s := _step_problem(row)) is not None]


def _step_problem(row: tuple[Any, ...]) -> Stranded | None:
    definition, version, position, direction, name, count, example = row
    found = plan(definition, version)
    if found is None:
        return None
    expected = _expected(found, position, direction)
    if expected != name:
        problem = f"{name} stands where this code has {expected or 'no step'}"
    elif name not in all_steps():
        problem = f"this code has no handler for {name}"
    else:
        return None
    return Stranded(definition, version, problem, count, example)


def _expected(found: Plan, position: int, direction: str) -> str | None:
    if position >= len(found.places):
        return None
    return found.places[position].spec.name if direction == DO else found.undo_of(position)
