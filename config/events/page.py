"""docs/events/README.md: the catalogue for people."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from config.events.schemas import fields_of
from sagas.bus import subscriptions

Schemas = Mapping[tuple[str, int], Mapping[str, Any]]

HEAD = """\
# Events

Written by `manage.py event_catalogue` from the contracts, the golden files and the subscriptions; `make events` says
when it no longer is what the code does. [asyncapi.yaml](asyncapi.yaml) is the same for programs, and each version
has its JSON Schema. What may change, and how, is in [ADR 21](../adr/0021-event-versions-and-snapshots.md).

Every event also has a stream and its number in it, a time, and who caused it (`actor`), with the reason if a person
did and the `correlation_id` of the request that began it all. No event holds personal data.
"""


def text(schemas: Schemas) -> str:
    """The page."""
    apps = groupby(schemas.items(), key=lambda item: item[0][0].partition(".")[0])
    return HEAD + "".join(_section(app, dict(group)) for app, group in apps)


def _section(app: str, schemas: Schemas) -> str:
    latest = dict(sorted(schemas))
    table = [_row(key, schemas[key]) for key in latest.items()]
    details = [_detail(key, schema) for key, schema in schemas.items()]
    head = ["| Event | Version | Means | Read by |", "|---|---|---|---|"]
    return "\n".join([f"\n## Published by {app}", "", *head, *table, "", *details, ""])


def _row(key: tuple[str, int], schema: Mapping[str, Any]) -> str:
    name, version = key
    readers = ", ".join(f"`{sub.name}`" for sub in subscriptions() if name in sub.types)
    meaning = " ".join(schema["description"].split())
    return f"| [{name}]({name}.v{version}.json) | {version} | {meaning} | {readers or '–'} |"


def _detail(key: tuple[str, int], schema: Mapping[str, Any]) -> str:
    name, version = key
    fields = "; ".join(f"`{field}` {kind}" for field, kind in fields_of(schema).items())  # type: ignore[arg-type]
    return f"- **{name.partition('.')[2]}** v{version}: {fields}"
