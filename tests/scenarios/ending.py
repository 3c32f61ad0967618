"""A person ends sagas."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sagas import operate
from sagas.clock import database_now
from sagas.models import Saga
from sagas.tasks import take_up_intents

DONE, BACK = {"as": "completed"}, {"as": "compensated"}


def by_hand(saga_id: UUID, kind: str, payload: dict[str, Any] | None = None) -> None:
    """A person acts on one saga, and the engine takes it up."""
    operate.act(kind, [saga_id], actor="ada", reason="settled it", now=database_now(), payload=payload or {})
    take_up_intents()


def resolve(saga_id: UUID, how: dict[str, Any]) -> None:
    """It stands still, and a person says how it has ended."""
    by_hand(saga_id, "pause")
    by_hand(saga_id, "resolve", how)
    assert Saga.objects.get(pk=saga_id).state == how["as"]


def skip(saga_id: UUID, step: str, result: dict[str, Any] | None = None) -> None:
    by_hand(saga_id, "skip", {"step": step, "result": result or {}})
