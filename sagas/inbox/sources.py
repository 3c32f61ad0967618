"""Where webhooks come from. An app registers each of its sources; the address of one is made of its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sagas.inbox.signing import Verifier

#: Columns are as wide as this; a provider whose ids are longer sends nothing we know.
MOST_ID, MOST_TYPE, MOST_MEANING = 200, 100, 300


class Unreadable(Exception):
    """The signature is right and the body still says nothing we understand. The message holds none of it."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What a webhook says, as far as storing needs it. All of it comes from the provider; none of it is the truth."""

    event_id: str
    type: str
    object_id: str
    meaning: str
    occurred_at: datetime

    def __post_init__(self) -> None:
        if not 0 < len(self.event_id) <= MOST_ID or not 0 < len(self.type) <= MOST_TYPE:
            raise Unreadable("the event has no id or type that could be stored")
        if len(self.object_id) > MOST_ID or len(self.meaning) > MOST_MEANING:
            raise Unreadable("the object's id or the meaning is too long")
        text = f"{self.event_id}{self.type}{self.object_id}{self.meaning}"
        if "\0" in text or not text.isascii():
            raise Unreadable("an id with a sign that no id has")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One provider that tells us things: `payments.sandbox` is served at /webhooks/payments/sandbox/.

    `verifier` is asked for at each message, since secrets may change; `read` raises Unreadable; `reader` is the
    name of the task that reads what came. Of the headers only those named in `keeps` are stored.
    """

    name: str
    verifier: Callable[[], Verifier]
    read: Callable[[bytes], Notice]
    reader: str
    keeps: tuple[str, ...] = ("Content-Type", "User-Agent")


_sources: dict[str, Source] = {}


def register_source(source: Source) -> None:
    """Accept webhooks of a source. Raises ValueError when the name is taken."""
    if source.name in _sources:
        raise ValueError(f"Source {source.name} is registered twice.")
    _sources[source.name] = source


def unregister_source(name: str) -> None:
    """Forget a source (for tests that make their own)."""
    _sources.pop(name, None)


def find_source(name: str) -> Source | None:
    """The source of that name, if there is one."""
    return _sources.get(name)


def sources_of(reader: str) -> list[str]:
    """The names of the sources that a reader reads."""
    return sorted(source.name for source in _sources.values() if source.reader == reader)


def source_names() -> list[str]:
    """The names of all sources."""
    return sorted(_sources)


def event_in(body: bytes) -> dict[str, Any]:
    """The event in a body: a JSON object whose `data.object` is an object. Raises Unreadable."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("the body is no JSON") from None
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("object"), dict):
        raise Unreadable("the body is no event about an object")
    return dict(event)
