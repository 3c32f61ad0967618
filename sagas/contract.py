"""The platform promises: acts of people leave an event, and so do erasing somebody's data and undos nobody tells of.

The stream of an erasure's events is the `person_id`.
"""

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


@register_event("sagas.ErasureRequested")
@dataclass(frozen=True, kw_only=True)
class ErasureRequested(Event):
    """A person is to be erased as soon as nothing open needs their data. Nothing new is kept under this id."""

    person_id: UUID
    shop_id: UUID


@register_event("sagas.PersonErased")
@dataclass(frozen=True, kw_only=True)
class PersonErased(Event):
    """Name, e-mail, address and the shop's name for this person are gone. Who keeps a copy must drop it."""

    person_id: UUID
    shop_id: UUID
