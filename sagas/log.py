"""The event log: event store, outbox, audit trail and feed in one append-only table.

Order of the feed: (era, xid, position), read only below the oldest transaction that may still write. Ordered by
position alone, a reader misses events of transactions that commit late; docs/adr tells what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction

from sagas import documents
from sagas.events import Event, load
from sagas.models import Era
from sagas.sql import execute, rows
from sagas.verdicts import ConcurrencyConflict

# Documents go over as one text, cut at a sign that JSON never holds: quoting them one by one for an array costs
# more than everything else of an append together.
BETWEEN = "\x1e"
APPEND = """
INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)
SELECT u.*, %s::timestamptz, (SELECT max(era) FROM sagas_era), pg_current_xact_id()::text::bigint
  FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::smallint[],
              string_to_array(%s, E'\\x1e')::jsonb[], string_to_array(%s, E'\\x1e')::jsonb[]) AS u
"""

NEXT_VERSIONS = """
SELECT stream, max(version) FROM sagas_event WHERE stream = ANY(%s::uuid[]) GROUP BY stream
"""

COLUMNS = "era, xid, position, stream, version, type, schema_version, data, metadata, at"

NEWEST = 2**31 - 1

READ = f"""
SELECT {COLUMNS} FROM sagas_event WHERE stream = %s AND version > %s AND version <= %s ORDER BY version LIMIT %s
"""
READ_MANY = f"SELECT {COLUMNS} FROM sagas_event WHERE stream = ANY(%s::uuid[]) ORDER BY stream, version"
READ_RANGES = f"""
SELECT {COLUMNS}
  FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS w (stream, after, upto) JOIN sagas_event USING (stream)
 WHERE version > w.after AND version <= w.upto ORDER BY stream, version
"""
# What a savepoint took back is not there to be seen, so nothing has to be remembered beside the rows.
LAST = """
SELECT era, xid, position FROM sagas_event
 WHERE era = (SELECT max(era) FROM sagas_era) AND xid = pg_current_xact_id_if_assigned()::text::bigint
 ORDER BY position DESC LIMIT 1
"""
FIRST = "SELECT stream, data FROM sagas_event WHERE stream = ANY(%s::uuid[]) AND version = 1"

WRITTEN = re.compile(r"[0-9]{1,10}\.[0-9]{1,19}\.[0-9]{1,19}")
LARGEST = 2**63 - 1

#: Called after a commit with the types of the events it published, and with those of them that are not only about
#: sagas that a coordinator leads. The bus sets it; the log knows no bus.
Listener = Callable[[frozenset[str], frozenset[str]], None]
_listeners: list[Listener] = []

#: In an event's metadata: it is about a saga that a coordinator leads, so that nobody else takes a part in it.
LED = "led"
_led: ContextVar[bool] = ContextVar("led", default=False)

#: What the present transaction has published and not yet written, if it gathers.
_gathered: ContextVar[list[tuple[Append, dict[str, Any], datetime]] | None] = ContextVar(
    "gathered", default=None
)


@dataclass(frozen=True)
class Append:
    """One event for one stream. `version` is the version it gets; None looks the next one up.

    `correlation_id`, `actor` and `reason` override what the whole publish says: a batch may serve many requests.
    """

    stream: UUID
    version: int | None
    event: Event
    correlation_id: str = ""
    actor: str = ""
    reason: str = ""


class Token(NamedTuple):
    """A place in the feed. Opaque outside; compared as the triple it is."""

    era: int
    xid: int
    position: int

    def __str__(self) -> str:
        return f"{self.era}.{self.xid}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read a token back. Raises ValueError for anything that is not one."""
        if not WRITTEN.fullmatch(text):
            raise ValueError("A token is three numbers.")
        era, xid, position = (int(part) for part in text.split("."))
        if max(era, xid, position) > LARGEST:
            raise ValueError("A token holds numbers of a bigint.")
        return cls(era, xid, position)


class Recorded(NamedTuple):
    """An event as it was committed. A tuple, since a rebuild makes a million of them."""

    token: Token
    stream: UUID
    version: int
    type: str
    event: Event
    metadata: dict[str, Any]
    at: datetime


def on_publish(listener: Listener) -> None:
    """Be told, after each commit, which event types it published, and which of them not only about led sagas."""
    _listeners.append(listener)


def publish(
    appends: Sequence[Append],
    *,
    now: datetime,
    actor: str = "system",
    reason: str = "",
    correlation_id: str | None = None,
    causation_id: str | None = None,
) -> None:
    """Append in the caller's transaction and ring the readers after its commit.

    Raises ConcurrencyConflict if a stream already has one of the versions; the transaction is then spoilt.
    """
    if not appends:
        return
    metadata = _metadata(actor, reason, correlation_id, causation_id)
    if (waiting := _gathered.get()) is not None and all(a.version is not None for a in appends):
        waiting.extend((a, metadata, now) for a in appends)
        return
    write_gathered()
    append(appends, now=now, metadata=metadata)
    _tell([(a, metadata) for a in appends])


def _tell(items: Sequence[tuple[Append, dict[str, Any]]]) -> None:
    types = frozenset(item.event.type for item, _ in items)
    unled = frozenset(item.event.type for item, metadata in items if LED not in metadata)
    for listener in _listeners:
        transaction.on_commit(partial(listener, types, unled), robust=True)


@contextmanager
def about(*, led: bool) -> Iterator[None]:
    """Inside the block all events that are published are about sagas that a coordinator leads, or may be about others.

    Where it is not known, leave it out: whoever takes parts passes such sagas over anyway, only later.
    """
    token = _led.set(led)
    try:
        yield
    finally:
        _led.reset(token)


@contextmanager
def gathered() -> Iterator[None]:
    """Inside the block what is published with its version is written by one statement, at the end at the latest.

    For several facts of one transaction. Whoever reads the log in between finds them there.
    """
    token = _gathered.set([])
    try:
        yield
        write_gathered()
    finally:
        _gathered.reset(token)


def write_gathered() -> None:
    """Write what has been published and only gathered so far. Raises ConcurrencyConflict as `publish` does."""
    if not (waiting := _gathered.get()):
        return
    due, waiting[:] = list(waiting), []
    for now, some in groupby(due, key=itemgetter(2)):
        _append([(item, metadata) for item, metadata, _ in some], now)
    _tell([(item, metadata) for item, metadata, _ in due])


def append(appends: Sequence[Append], *, now: datetime, metadata: dict[str, Any]) -> None:
    """Write events without ringing anybody. One statement, whatever the number."""
    _append([(item, metadata) for item in appends], now)


def _append(items: Sequence[tuple[Append, dict[str, Any]]], now: datetime) -> None:
    appends = [item for item, _ in items]
    versions = _versions(appends)
    events = [a.event for a in appends]
    params = [
        now,
        [a.stream for a in appends],
        versions,
        [e.type for e in events],
        [e.schema_version for e in events],
        BETWEEN.join([documents.encode(e.to_data()) for e in events]),
        BETWEEN.join([documents.encode(metadata | _own(a)) for a, metadata in items]),
    ]
    try:
        execute(APPEND, params)
    except IntegrityError as error:
        if "sagas_event_pkey" not in str(error):
            raise
        raise ConcurrencyConflict("A stream already has this version.") from error


def read(stream: UUID, after: int = 0, *, upto: int = NEWEST, limit: int | None = None) -> list[Recorded]:
    """One stream in version order, after version `after` and not beyond `upto`; at most `limit` events."""
    write_gathered()
    return recorded_all(rows(READ, [stream, after, min(upto, NEWEST), limit]))


def read_many(streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
    """Many streams in one statement, each in version order. A stream without events is not in the answer."""
    write_gathered()
    found: dict[UUID, list[Recorded]] = {}
    for event in recorded_all(rows(READ_MANY, [list(set(streams))])):
        found.setdefault(event.stream, []).append(event)
    return found


def read_ranges(ranges: Mapping[UUID, tuple[int, int]]) -> dict[UUID, list[Recorded]]:
    """Stretches of many streams in one statement: of each its versions after the first number, up to the second."""
    write_gathered()
    params = [list(ranges), [after for after, _ in ranges.values()], [upto for _, upto in ranges.values()]]
    found: dict[UUID, list[Recorded]] = {}
    for event in recorded_all(rows(READ_RANGES, params)):
        found.setdefault(event.stream, []).append(event)
    return found


def last_published() -> Token | None:
    """The place of the last event of the present transaction, None if it has published nothing."""
    write_gathered()
    found = rows(LAST)
    return Token(*found[0]) if found else None


def first_data(streams: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """The data of the first event of each stream: what the stream is about."""
    write_gathered()
    return {stream: documents.decode(data) for stream, data in rows(FIRST, [list(set(streams))])}


def recorded_all(found: Sequence[tuple[Any, ...]]) -> list[Recorded]:
    """Build Recordeds from rows of COLUMNS, in their order. All documents are taken apart in one go."""
    data = documents.decode("[" + ",".join([row[7] for row in found]) + "]")
    metadata = documents.decode("[" + ",".join([row[8] for row in found]) + "]")
    return [
        Recorded(Token(*row[:3]), row[3], row[4], row[5], load(row[5], row[6], own), own_metadata, row[9])
        for row, own, own_metadata in zip(found, data, metadata, strict=True)
    ]


def ensure_era(**_: object) -> None:
    """Begin the first era. Runs after every migration; safe to repeat."""
    Era.objects.get_or_create(era=1, defaults={"reason": "first start"})


def next_era(reason: str) -> int:
    """Raise the era, after a restore onto another server. Earlier eras then count as settled."""
    era = (rows("SELECT coalesce(max(era), 0) FROM sagas_era")[0][0]) + 1
    Era.objects.create(era=era, reason=reason)
    return int(era)


def _versions(appends: Sequence[Append]) -> list[int]:
    if all(a.version is not None for a in appends):
        return [a.version or 0 for a in appends]
    last: dict[UUID, int] = dict(rows(NEXT_VERSIONS, [list({a.stream for a in appends})]))
    return [_next(last, a) for a in appends]


def _next(last: dict[UUID, int], item: Append) -> int:
    version = item.version if item.version is not None else last.get(item.stream, 0) + 1
    last[item.stream] = max(version, last.get(item.stream, 0))
    return version


def _own(item: Append) -> dict[str, Any]:
    parts = {"correlation_id": item.correlation_id, "actor": item.actor, "reason": item.reason}
    return {key: value for key, value in parts.items() if value}


def _metadata(
    actor: str, reason: str, correlation_id: str | None, causation_id: str | None
) -> dict[str, Any]:
    parts: dict[str, Any] = {"actor": actor, "reason": reason}
    parts |= {"correlation_id": correlation_id, "causation_id": causation_id, LED: _led.get()}
    return {key: value for key, value in parts.items() if value}
