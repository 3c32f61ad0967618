"""Subscriptions: how an app reacts to published events.

Each subscription is a receiver of the one Django signal `event_published`, delivered by its own Celery task.
Its effect and its checkpoint commit together: every committed event once, in the order of the feed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from django.dispatch import Signal

from sagas.bell import ring
from sagas.events import Event
from sagas.log import Recorded, on_publish

#: Sent with sender=<Subscription>, events=<list of Recorded>, now=<datetime>, inside the delivering transaction.
event_published = Signal()

Kind = Literal["reaction", "projection"]


class Handler(Protocol):
    def __call__(self, *, events: Sequence[Recorded], now: datetime) -> None: ...


H = TypeVar("H", bound=Handler)


@dataclass(frozen=True)
class Subscription:
    """A durable name, the event types it wants, and what a poison event does to it.

    A reaction parks the event and what follows on the same stream; a projection stops. One that is a `part` of
    choreographed sagas acts once however often it is told the same. One that looks only `every` so many seconds is
    not rung at each publication: the relay tells it of all that came meanwhile at once. One that wants `unled`
    alone, as every part does, passes over what is told of sagas that a coordinator leads. One that is `wanted_by`
    rows, those of an SQL query, passes everything by while there are none; it has to have a time to look (`every`).
    """

    name: str
    types: tuple[str, ...]
    kind: Kind
    shards: int = 1
    part: bool = False
    every: float = 0.0
    unled: bool = False
    wanted_by: str = ""

    def task(self, shard: int = 0) -> str:
        """The name of its Celery task: the subscription, and the shard if there are several."""
        return self.name if shard == 0 else f"{self.name}/{shard}"


_subscriptions: dict[str, Subscription] = {}


def subscription(
    name: str,
    *,
    of: Sequence[type[Event]],
    kind: Kind = "reaction",
    shards: int = 1,
    part: bool = False,
    every: float = 0.0,
    unled: bool = False,
    wanted_by: str = "",
) -> Callable[[H], H]:
    """Register a receiver of published events under a durable name: its checkpoint lives beside the log."""
    if wanted_by and not every:
        raise ValueError(f"Subscription {name} would be rung for what nobody wants.")

    def register(handler: H) -> H:
        if name in _subscriptions:
            raise ValueError(f"Subscription {name} is registered twice.")
        types = tuple(cls.type for cls in of)
        sender = Subscription(name, types, kind, shards, part, every, unled or part, wanted_by)
        _subscriptions[name] = sender
        event_published.connect(_receiver(handler), sender=sender, weak=False, dispatch_uid=name)
        return handler

    return register


def _receiver(handler: Handler) -> Callable[..., None]:
    def receive(sender: Subscription, events: Sequence[Recorded], now: datetime, **_: Any) -> None:
        del sender
        handler(events=events, now=now)

    return receive


def unsubscribe(name: str) -> None:
    """Forget a subscription (for tests that make their own)."""
    gone = _subscriptions.pop(name, None)
    if gone is not None:
        event_published.disconnect(sender=gone, dispatch_uid=name)


def get_subscription(name: str) -> Subscription:
    """The subscription of that name. Raises KeyError when this code has none."""
    return _subscriptions[name]


def subscriptions() -> list[Subscription]:
    """Every subscription, by name."""
    return [_subscriptions[name] for name in sorted(_subscriptions)]


def ring_readers(types: frozenset[str], unled: frozenset[str]) -> None:
    """Ring every subscription in a hurry that wants one of these types; for parts of choreographies, of `unled`."""
    prompt = [sub for sub in subscriptions() if not sub.every]
    wanted = [sub for sub in prompt if not (unled if sub.unled else types).isdisjoint(sub.types)]
    ring(*(sub.task(shard) for sub in wanted for shard in range(sub.shards)))


on_publish(ring_readers)
