"""Events: frozen facts with a durable name and version, turned into JSON and back."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, TypeVar
from uuid import UUID

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of every event. Subclasses are frozen dataclasses registered with `register_event`.

    An event never carries personal data: a `person_id` points to an erasable row.
    """

    type: ClassVar[str]
    schema_version: ClassVar[int]

    def to_data(self) -> dict[str, Any]:
        """The JSON form that is stored."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> typing.Self:
        """Rebuild from the stored form of this class's own version."""
        readers = _readers(cls)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
        return cls(**{name: readers[name](value) for name, value in data.items() if name in readers})


E = TypeVar("E", bound=type[Event])

_classes: dict[str, type[Event]] = {}
_upcasters: dict[tuple[str, int], Upcaster] = {}


def register_event(name: str, *, version: int = 1) -> Callable[[E], E]:
    """Give an event class its durable name and its present schema version. A name can be taken once."""

    def register(cls: E) -> E:
        taken = _classes.setdefault(name, cls)
        if taken is not cls and taken.__qualname__ != cls.__qualname__:
            raise ValueError(f"Event name {name} is taken by {taken.__qualname__}.")
        cls.type, cls.schema_version = name, version
        _classes[name] = cls
        return cls

    return register


def upcaster(name: str, *, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register how stored data of `from_version` becomes data of the next version."""

    def register(function: Upcaster) -> Upcaster:
        _upcasters[name, from_version] = function
        return function

    return register


def event_classes() -> dict[str, type[Event]]:
    """Every registered event by name."""
    return dict(_classes)


def upcaster_versions(name: str) -> set[int]:
    """The versions of an event that have a way up to the next one."""
    return {version for event, version in _upcasters if event == name}


def load(name: str, schema_version: int, data: dict[str, Any]) -> Event:
    """Rebuild a stored event of any version ever written."""
    cls = _classes[name]
    for version in range(schema_version, cls.schema_version):
        data = _upcasters[name, version](data)
    return cls.from_data(data)


def _plain(value: Any) -> Any:
    match value:
        case str() | int() | None:  # most are, and an abstract class is slow to ask
            return value
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return value


@cache
def _readers(cls: type[Event]) -> dict[str, Callable[[Any], Any]]:
    hints = typing.get_type_hints(cls)
    return {f.name: _reader(hints[f.name]) for f in fields(cls)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = next(_reader(arg) for arg in typing.get_args(hint) if arg is not type(None))
        return lambda value: None if value is None else inner(value)
    if hint is UUID:
        return lambda value: value if isinstance(value, UUID) else UUID(value)
    if hint is datetime:
        return lambda value: value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if typing.get_origin(hint) is tuple:
        return tuple
    return lambda value: value
