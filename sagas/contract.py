"""The platform promises: every act of a person on a saga leaves an event, and every undo nobody tells of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sagas.events import Event, register_event


@register_event("sagas.OperatorActed")
@dataclass(frozen=True, kw_only=True)
class OperatorActed(Event):
    """A person acted on a saga, a step or a provider. Actor and reason are in the metadata."""

    saga_id: UUID | None
    act: str
    target: str
    payload: dict[str, Any] = field(default_factory=dict)


@register_event("sagas.UndoSettled")
@dataclass(frozen=True, kw_only=True)
class UndoSettled(Event):
    """In a choreography: the app that owns `undo` holds nothing of `subject_id`, and no event of its own says so.

    `how`: nothing_to_undo (it had begun nothing), by_hand (a person has settled it).
    """

    saga_id: UUID
    subject_id: UUID
    undo: str
    how: str
