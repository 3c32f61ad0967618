"""Reading the log forward without ever missing an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sagas.log import Recorded, Token, recorded_all
from sagas.sql import rows

#: A look goes through the events of at most so many transactions, its own or not: a reader that is new to a long log
#: comes forward by stretches, each far within a statement's time limit.
WINDOW = 5_000

# The horizon and the events come from one snapshot: what is below the horizon is committed or never will be. The edge
# is where the look ends, at the horizon or some transactions after the first event there is.
FEED = """
WITH horizon AS MATERIALIZED (
  SELECT (SELECT max(era) FROM sagas_era) AS era, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid
), start AS MATERIALIZED (
  SELECT era, xid + %s AS xid FROM sagas_event
   WHERE (era, xid, position) > (%s, %s, %s) ORDER BY era, xid, position LIMIT 1
), edge AS MATERIALIZED (
  SELECT coalesce((s.era, s.xid) >= (h.era, h.xid), true) AS whole,
         CASE WHEN (s.era, s.xid) < (h.era, h.xid) THEN s.era ELSE h.era END AS era,
         CASE WHEN (s.era, s.xid) < (h.era, h.xid) THEN s.xid ELSE h.xid END AS xid
    FROM horizon h LEFT JOIN start s ON true
)
SELECT h.era, h.xid, h.whole, e.*
  FROM edge h LEFT JOIN LATERAL (
    SELECT era, xid, position, stream, version, type, schema_version, data, metadata, at
      FROM sagas_event
     WHERE (era, xid, position) > (%s, %s, %s) AND (era, xid, position) < (h.era, h.xid, 0)
       AND type = ANY(%s) AND (%s = 1 OR (hashtext(stream::text) & 2147483647) %% %s = %s)
       AND NOT (%s AND metadata ? 'led')
     ORDER BY era, xid, position LIMIT %s
  ) e ON true
 ORDER BY e.era, e.xid, e.position
"""

# Below a checkpoint everything is settled, so that no horizon is asked for. What a person let the subscription pass
# over is left out here: it may be an event that cannot even be read.
STRETCH = """
SELECT era, xid, position, stream, version, type, schema_version, data, metadata, at
  FROM sagas_event e
 WHERE (era, xid, position) > (%s, %s, %s) AND (era, xid, position) <= (%s, %s, %s) AND type = ANY(%s)
   AND NOT EXISTS (SELECT FROM sagas_skippedevent s
                    WHERE s.subscription = %s AND s.stream = e.stream AND s.version = e.version)
 ORDER BY era, xid, position LIMIT %s
"""

# What there is for many readers at once: a stretch is looked through one time, however many of them wait before it.
GLANCE = """
WITH horizon AS MATERIALIZED (
  SELECT (SELECT max(era) FROM sagas_era) AS era, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid
), seen AS MATERIALIZED (
  SELECT era, xid, position, type, metadata ? 'led' AS led FROM sagas_event
   WHERE (era, xid, position) > (%s, %s, %s)
     AND (era, xid, position) < ((SELECT era FROM horizon), (SELECT xid FROM horizon), 0)
   ORDER BY era, xid, position LIMIT %s
)
SELECT h.era, h.xid, (SELECT count(*) FROM seen), (SELECT array_agg(DISTINCT type) FROM seen),
       (SELECT array_agg(DISTINCT type) FROM seen WHERE NOT led), l.era, l.xid, l.position
  FROM horizon h LEFT JOIN (SELECT era, xid, position FROM seen ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT 1) l ON true
"""

# The order keeps it to the index from that place on: a mere EXISTS may be looked up by reading the whole log.
PENDING = """
SELECT EXISTS (SELECT FROM (
  SELECT 1 FROM sagas_event
   WHERE (era, xid, position) > (%s, %s, %s) AND type = ANY(%s) AND NOT (%s AND metadata ? 'led')
   ORDER BY era, xid, position LIMIT 1) e)
"""

NEWEST = """
SELECT DISTINCT ON (type, led) type, metadata ? 'led' AS led, era, xid, position
  FROM sagas_event WHERE (era, xid, position) > (%s, %s, %s)
 ORDER BY type, led, era DESC, xid DESC, position DESC
"""

END = """
SELECT (SELECT max(era) FROM sagas_era), pg_snapshot_xmin(pg_current_snapshot())::text::bigint
"""


@dataclass(frozen=True)
class Page:
    """A stretch of the feed, up to `horizon`. `whole` says that this is where the feed ended when it was read."""

    events: list[Recorded]
    horizon: Token
    whole: bool


def page(
    after: Token, types: Sequence[str], *, limit: int, shards: int = 1, shard: int = 0, unled: bool = False
) -> Page:
    """The next settled events of these types, in the order of the feed, at most `limit`.

    `unled` leaves out what is about sagas that a coordinator leads.
    """
    found = rows(FEED, [WINDOW, *after, *after, list(types), shards, shards, shard, unled, limit])
    era, xid, whole = found[0][:3]
    return Page(recorded_all([row[3:] for row in found if row[3] is not None]), Token(era, xid, 0), whole)


def stretch(
    after: Token, upto: Token, types: Sequence[str], *, limit: int, subscription: str
) -> list[Recorded]:
    """The next events of a subscription up to where its checkpoint stands, skipped ones left out, at most `limit`.

    `upto` must be a place that a checkpoint has reached: events below it are never joined by others.
    """
    return recorded_all(rows(STRETCH, [*after, *upto, list(types), subscription, limit]))


@dataclass(frozen=True)
class Place:
    """Where an event stands, without what it says: so much is known also of one that this code cannot read."""

    token: Token
    stream: UUID
    version: int
    at: datetime


def first(
    after: Token, types: Sequence[str], *, shards: int = 1, shard: int = 0, unled: bool = False
) -> tuple[Place | None, Token, bool]:
    """Where the next settled event of these types stands, if any; up to where was looked; and whether to the end."""
    found = rows(FEED, [WINDOW, *after, *after, list(types), shards, shards, shard, unled, 1])
    h_era, h_xid, whole, era, xid, position, stream, version, *_, at = found[0]
    place = Place(Token(era, xid, position), stream, version, at) if era is not None else None
    return place, Token(h_era, h_xid, 0), whole


def place(after: Token, upto: Token, types: Sequence[str], *, subscription: str) -> Place:
    """Where the next event of a stretch stands. Raises IndexError when there is none."""
    era, xid, position, stream, version, *_, at = rows(
        STRETCH, [*after, *upto, list(types), subscription, 1]
    )[0]
    return Place(Token(era, xid, position), stream, version, at)


@dataclass(frozen=True)
class Glance:
    """What types of events there are after a place, up to `upto`. `whole` says that this is where the feed ends.

    `unled` are the types of those that are not only about sagas that a coordinator leads.
    """

    types: frozenset[str]
    unled: frozenset[str]
    count: int
    upto: Token
    whole: bool


def glance(after: Token, *, limit: int) -> Glance:
    """Look through the next settled events of all types, at most `limit`."""
    h_era, h_xid, count, types, unled, *last = rows(GLANCE, [*after, limit])[0]
    whole = count < limit
    upto = Token(h_era, h_xid, 0) if whole else Token(*last)
    return Glance(frozenset(types or ()), frozenset(unled or ()), count, upto, whole)


def newest(after: Token) -> dict[tuple[str, bool], Token]:
    """Where the last event of each type stands after a place, settled or not; apart those about led sagas.

    One look for everybody who asks, whatever the number of readers.
    """
    return {(type_, led): Token(*token) for type_, led, *token in rows(NEWEST, [*after])}


def pending(after: Token, types: Sequence[str], *, unled: bool = False) -> bool:
    """Whether events of these types exist after `after`, settled or not."""
    return bool(rows(PENDING, [*after, list(types), unled])[0][0])


def end() -> Token:
    """Where the feed ends now."""
    era, xid = rows(END)[0]
    return Token(era, xid, 0)
