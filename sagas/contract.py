"""The platform promises: every act of a person on a saga leaves an event."""

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
