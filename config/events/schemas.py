"""JSON Schema (draft 2020-12) of an event's stored form, read off its dataclass."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps

from sagas.events import Event, event_classes

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    UUID: {"type": "string", "format": "uuid"},
    datetime: {"type": "string", "format": "date-time"},
}


class Unspeakable(TypeError):
    """An event has a field that has no place in a schema."""


def _is_promised(cls: type[Event]) -> bool:
    """Whether it stands in the contract of an app that is installed; others may be loaded beside."""
    in_contract = "contract" in cls.__module__.split(".")
    return in_contract and apps.get_containing_app_config(cls.__module__) is not None


def published() -> dict[str, type[Event]]:
    """The events of the contracts, by name."""
    found = {name: cls for name, cls in event_classes().items() if _is_promised(cls)}
    return dict(sorted(found.items()))


def schema_of(cls: type[Event]) -> Schema:
    """The schema of an event's present version. A field without a default is required.

    Other fields may be there: readers pass over what they do not know, so a version can gain an optional field.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        "$schema": DIALECT,
        "title": f"{cls.type} version {cls.schema_version}",
        "description": inspect.cleandoc(cls.__doc__ or ""),
        "type": "object",
        "properties": {f.name: of_type(hints[f.name]) for f in fields(cls)},
        "required": [f.name for f in fields(cls) if _required(f)],
    }


def of_type(hint: Any) -> Schema:
    """The schema of one annotation. Raises Unspeakable."""
    if hint in PLAIN:
        return dict(PLAIN[hint])
    if typing.is_typeddict(hint):
        return _of_shape(hint)
    if typing.get_origin(hint) is typing.Annotated:
        return of_type(hint.__metadata__[0])
    return _of_generic(hint, typing.get_origin(hint), typing.get_args(hint))


def fields_of(schema: Schema) -> dict[str, str]:
    """Each field with its type in words."""
    required = schema["required"]
    return {
        name: _words(inner) + ("" if name in required else ", optional")
        for name, inner in schema["properties"].items()
    }


def _of_generic(hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Schema:
    if origin is typing.Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        return _or_null(arguments)
    if origin in (tuple, list):
        return {"type": "array", "items": of_type(arguments[0])}
    if origin in (dict, Mapping):
        return {"type": "object"}
    raise Unspeakable(f"{hint} has no JSON Schema here.")


def _of_shape(shape: Any) -> Schema:
    hints = typing.get_type_hints(shape, include_extras=True)
    return {
        "type": "object",
        "properties": {name: of_type(hint) for name, hint in hints.items()},
        "required": [name for name in hints if name in shape.__required_keys__],
    }


def _or_null(arguments: tuple[Any, ...]) -> Schema:
    (given,) = (of_type(argument) for argument in arguments if argument is not type(None))
    return given | {"type": [given["type"], "null"]}


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _words(schema: Schema) -> str:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    said = schema.get("format") or " or ".join(map(str, schema.get("enum", ()))) or kinds[0]
    if kinds[0] == "array":
        inner = schema["items"].get("properties")
        said = f"list of {{{', '.join(inner)}}}" if inner else "list of objects"
    return f"{said} or null" if "null" in kinds else said
