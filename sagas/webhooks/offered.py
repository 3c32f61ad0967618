"""What a shop may be told, and how it is told: the envelope around an event's data."""

from __future__ import annotations

from typing import Any

from sagas import documents
from sagas.events import Event, event_classes
from sagas.log import Recorded

#: Opaque ids of our own that mean nothing to a shop.
KEPT_BACK = frozenset({"person_id"})


def offered() -> list[type[Event]]:
    """The events that shops may ask for, by name."""
    classes = event_classes()
    return [classes[name] for name in sorted(classes) if classes[name].for_shops]


def offered_types() -> list[str]:
    """Their names."""
    return [cls.type for cls in offered()]


def event_id(recorded: Recorded) -> str:
    """The name of an event outside: its object, and its number in that object's story."""
    return f"{recorded.stream}.{recorded.version}"


def envelope(recorded: Recorded) -> dict[str, Any]:
    """What is sent of an event. Described in docs/webhooks.md; members are only ever added."""
    data = {name: value for name, value in recorded.event.to_data().items() if name not in KEPT_BACK}
    return {
        "id": event_id(recorded),
        "type": recorded.type,
        "schema_version": recorded.event.schema_version,
        "timestamp": recorded.at.isoformat(),
        "object_id": str(recorded.stream),
        "sequence": recorded.version,
        "data": data,
    }


def body_of(recorded: Recorded) -> bytes:
    """The envelope as bytes."""
    return documents.encode(envelope(recorded)).encode()
