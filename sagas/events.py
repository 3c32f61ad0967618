"""Events: frozen facts with a durable name and version, turned into JSON and back."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, ClassVar, TypeVar
from uuid import UUID

_new, _set = object.__new__, object.__setattr__

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of every event. Subclasses are frozen dataclasses registered with `register_event`.

    An event never carries personal data: a `person_id` points to an erasable row.
    """

    type: ClassVar[str]
    schema_version: ClassVar[int]
    for_shops: ClassVar[bool] = False  #: Whether the shop it is about may ask to be told.

    def to_data(self) -> dict[str, Any]:
        """The JSON form that is stored."""
        return {name: _plain(getattr(self, name)) for name in _names(type(self))}  # type: ignore[arg-type]  # a class is hashable

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> typing.Self:
        """Rebuild from the stored form of this class's own version."""
        return _rebuild(cls, dict(data))


E = TypeVar("E", bound=type[Event])
E_ = TypeVar("E_", bound=Event)

_classes: dict[str, type[Event]] = {}
_upcasters: dict[tuple[str, int], Upcaster] = {}


def register_event(name: str, *, version: int = 1, for_shops: bool = False) -> Callable[[E], E]:
    """Give an event class its durable name and its present schema version. A name can be taken once.

    With `for_shops` the shop it is about, its `shop_id`, may ask to be told of it.
    """

    def register(cls: E) -> E:
        taken = _classes.setdefault(name, cls)
        if taken is not cls and taken.__qualname__ != cls.__qualname__:
            raise ValueError(f"Event name {name} is taken by {taken.__qualname__}.")
        if for_shops and "shop_id" not in {f.name for f in fields(cls)}:
            raise ValueError(f"Event {name} says no shop_id, so no shop can be told of it.")
        cls.type, cls.schema_version, cls.for_shops = name, version, for_shops
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
    """Rebuild a stored event of any version ever written. `data` is the event's own from here on."""
    cls = _classes[name]
    for version in range(schema_version, cls.schema_version):
        data = _upcasters[name, version](data)
    return _rebuild(cls, data)


@cache
def _names(cls: type[Event]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls))


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


@dataclass(frozen=True)
class _Plan:
    """How the stored form of a class becomes an object: which values it has and which of them are converted."""

    names: frozenset[str]
    direct: bool  #: Nothing but its values makes the object.
    readers: tuple[tuple[str, Callable[[Any], Any]], ...]


def _rebuild(cls: type[E_], data: dict[str, Any]) -> E_:
    """The stored form becomes the object's own values: a frozen class pays dearly for each one it sets itself."""
    plan = _plan(cls)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    if not plan.direct or data.keys() != plan.names:
        return _complete(cls, plan, data)
    for name, read in plan.readers:
        data[name] = read(data[name])
    event = _new(cls)
    _set(event, "__dict__", data)
    return event


def _complete(cls: type[E_], plan: _Plan, data: dict[str, Any]) -> E_:
    """With defaults for what is missing, without what this code does not know. Raises TypeError as the class does."""
    readers = dict(plan.readers)
    known = {name: value for name, value in data.items() if name in plan.names}
    return cls(**{n: readers[n](v) if n in readers else v for n, v in known.items()})


@cache
def _plan(cls: type[Event]) -> _Plan:
    hints = typing.get_type_hints(cls)
    readers = [(f.name, _reader(hints[f.name])) for f in fields(cls)]
    needed = tuple((name, read) for name, read in readers if read is not None)
    return _Plan(frozenset(name for name, _ in readers), not hasattr(cls, "__post_init__"), needed)


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    """What turns a stored value into this type; None for what JSON holds as it is."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = next(_reader(arg) for arg in typing.get_args(hint) if arg is not type(None))
        return inner and (lambda value: None if value is None else inner(value))
    if hint is UUID:
        return _uuid
    if hint is datetime:
        return lambda value: value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return tuple if typing.get_origin(hint) is tuple else None


@lru_cache(maxsize=32_768)
def _uuid(value: str | UUID) -> UUID:
    """The events of one order stand near each other in the log and name the same few objects."""
    return value if isinstance(value, UUID) else UUID(value)
