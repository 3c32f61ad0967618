"""The AsyncAPI 3.0 description of the event log: who publishes what, and who listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from sagas.bus import Subscription, subscriptions
from sagas.events import Event

Schemas = Mapping[tuple[str, int], Mapping[str, Any]]

FORMAT = "application/schema+json;version=draft-2020-12"
ABOUT = """\
Events of Waybill's apps, in one log, in the transaction of the fact they tell. A channel is an app; readers are
subscriptions inside Waybill. Every committed event comes once per subscription, in the order of transactions, not
in the order of its stream: a reader that needs that order keeps the last version it has seen of each stream.
"""


def description(events: Mapping[str, type[Event]], schemas: Schemas) -> dict[str, Any]:
    """The document. Messages are named by event and version; payloads are the schemas beside it."""
    apps = sorted({_app(name) for name in events})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Waybill events", "version": "1.0.0", "description": " ".join(ABOUT.split())},
        "defaultContentType": "application/json",
        "channels": {app: _channel(app, schemas) for app in apps},
        "operations": {f"{app}.publish": _publish(app, schemas) for app in apps} | _receiving(events),
        "components": {
            "messages": {_message_id(*key): _message(*key, schema) for key, schema in schemas.items()},
            "schemas": {"Headers": HEADERS},
        },
    }


def text(document: Mapping[str, Any]) -> str:
    """The document as YAML."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


HEADERS = {
    "type": "object",
    "description": "What is kept beside the data of an event.",
    "properties": {
        "type": {"type": "string"},
        "schema_version": {"type": "integer"},
        "stream": {"type": "string", "format": "uuid", "description": "The object it is about."},
        "version": {"type": "integer", "description": "Its number in the stream, from 1."},
        "at": {"type": "string", "format": "date-time"},
        "actor": {"type": "string", "description": "Who caused it."},
        "reason": {"type": "string"},
        "correlation_id": {"type": "string", "description": "Of the request that began it all."},
        "causation_id": {"type": "string"},
    },
    "required": ["type", "schema_version", "stream", "version", "at", "actor"],
}


def _channel(app: str, schemas: Schemas) -> dict[str, Any]:
    ids = [_message_id(*key) for key in schemas if _app(key[0]) == app]
    return {"address": app, "messages": {i: {"$ref": f"#/components/messages/{i}"} for i in ids}}


def _publish(app: str, schemas: Schemas) -> dict[str, Any]:
    newest = dict(sorted(key for key in schemas if _app(key[0]) == app))
    return _operation("send", app, f"What {app} tells.", [_message_id(*key) for key in newest.items()])


def _receiving(events: Mapping[str, type[Event]]) -> dict[str, Any]:
    """One operation for each subscription and app it listens to: an operation has one channel."""
    return {
        f"{sub.name}.from_{app}": _receive(sub, app, events)
        for sub in subscriptions()
        for app in sorted({_app(name) for name in sub.types if name in events})
    }


def _receive(sub: Subscription, app: str, events: Mapping[str, type[Event]]) -> dict[str, Any]:
    wanted = [name for name in sub.types if name in events and _app(name) == app]
    ids = [_message_id(name, events[name].schema_version) for name in wanted]
    return _operation("receive", app, f"The {sub.kind} {sub.name}.", ids)


def _operation(action: str, app: str, summary: str, ids: list[str]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/{app}/messages/{i}"} for i in ids]
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{app}"},
        "summary": summary,
        "messages": messages,
    }


def _message(name: str, version: int, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": schema["title"],
        "summary": schema["description"].partition("\n")[0],
        "headers": {"$ref": "#/components/schemas/Headers"},
        "payload": {"schemaFormat": FORMAT, "schema": {"$ref": f"./{_message_id(name, version)}.json"}},
    }


def _message_id(name: str, version: int) -> str:
    return f"{name}.v{version}"


def _app(name: str) -> str:
    return name.partition(".")[0]
