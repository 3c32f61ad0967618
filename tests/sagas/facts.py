"""Events and subscriptions that tests of the log and the bus make for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from django.db import connection

from sagas import bus
from sagas.events import Event, register_event
from sagas.log import Append, Recorded, publish

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@register_event("tests.Counted")
@dataclass(frozen=True, kw_only=True)
class Counted(Event):
    """Something was counted."""

    number: int
    who: UUID | None = None
    when: datetime | None = None


@register_event("tests.Ignored")
@dataclass(frozen=True, kw_only=True)
class Ignored(Event):
    """Something nobody subscribed to."""

    number: int


def count(stream: UUID, version: int | None, number: int = 0) -> None:
    """Publish one Counted."""
    publish([Append(stream, version, Counted(number=number))], now=NOW)


@contextmanager
def listening(
    name: str,
    handler: Callable[[Sequence[Recorded]], None],
    *,
    kind: bus.Kind = "reaction",
    shards: int = 1,
    every: float = 0.0,
    unled: bool = False,
    part: bool = False,
) -> Iterator[bus.Subscription]:
    """A subscription to Counted for the length of a test."""

    @bus.subscription(name, of=(Counted,), kind=kind, shards=shards, every=every, unled=unled, part=part)
    def receive(*, events: Sequence[Recorded], now: datetime) -> None:
        del now
        handler(events)

    try:
        yield bus.get_subscription(name)
    finally:
        bus.unsubscribe(name)


@contextmanager
def forgotten_writer(database: str, *, timeout_seconds: float = 0) -> Iterator[psycopg.Connection]:
    """A session that has written and does not end its transaction."""
    session = psycopg.connect(
        host=connection.settings_dict["HOST"], user="postgres", dbname=database, application_name="forgotten",
        options=f"-c idle_in_transaction_session_timeout={round(timeout_seconds * 1000)}",
    )  # fmt: skip
    session.execute("SELECT pg_current_xact_id()")
    try:
        yield session
    finally:
        with suppress(psycopg.Error):
            session.close()
