"""Webhooks promise: what an endpoint asked for is sent to it until it has said 2xx, or is listed as exhausted.

The stream of these events is the endpoint's id. They hold neither its address nor its secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sagas.events import Event, register_event

#: What happened to an endpoint.
CREATED = "created"
UPDATED = "updated"
ENABLED = "enabled"
ROTATED = "rotated"
DELETED = "deleted"
REPLAYED = "replayed"


@dataclass(frozen=True, kw_only=True)
class EndpointEvent(Event):
    """What every fact about one endpoint says."""

    endpoint_id: UUID
    shop_id: UUID


@register_event("webhooks.EndpointChanged")
@dataclass(frozen=True, kw_only=True)
class EndpointChanged(EndpointEvent):
    """Somebody changed an endpoint: created, updated, enabled, rotated (a new secret), deleted, or replayed
    (`deliveries` of it are sent again). Who and why is in the metadata.
    """

    change: str
    deliveries: int = 0


@register_event("webhooks.EndpointDisabled", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class EndpointDisabled(EndpointEvent):
    """Nothing is sent to an endpoint any more. `code`: webhooks.gone (it answered 410), webhooks.failing (nothing
    but failures for days), webhooks.by_hand.
    """

    code: str


@register_event("webhooks.EndpointTested")
@dataclass(frozen=True, kw_only=True)
class EndpointTested(EndpointEvent):
    """Somebody asked for a test: this event is sent to that endpoint alone, whatever it asked for."""
