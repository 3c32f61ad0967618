"""How far the readers of the log are behind, and who holds them up. The cost is bounded for each reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sagas.bus import subscriptions
from sagas.rebuild.rows import ProjectionBuild, SkippedEvent
from sagas.sql import rows

#: Per reader, so many events after its checkpoint are looked at.
MOST_EVENTS = 2_000
#: So many skipped events are shown.
MOST_SKIPPED = 100
#: A writing transaction open so long is worth naming.
SLOW_WRITER_SECONDS = 5

LAG = """
SELECT w.name, w.shard, coalesce(c.state, 'running'), coalesce(c.error, ''), c.moved_at,
       l.waiting, l.oldest, l.looked
  FROM unnest(%(names)s::text[], %(shards)s::int[], %(of)s::int[], %(types)s::text[], %(unled)s::bool[])
    AS w (name, shard, n, types, unled)
  LEFT JOIN sagas_checkpoint c ON c.subscription = w.name AND c.shard = w.shard
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.mine), min(e.at) FILTER (WHERE e.mine), count(*) FROM (
      SELECT at, type = ANY(string_to_array(w.types, ','))
                 AND abs(hashtext(stream::text)) %% w.n = w.shard
                 AND NOT (w.unled AND metadata ? 'led') AS mine
        FROM sagas_event
       WHERE (era, xid, position) > (coalesce(c.era, 0), coalesce(c.xid, 0), coalesce(c.position, 0))
       ORDER BY era, xid, position LIMIT %(most)s) e) l (waiting, oldest, looked)
 ORDER BY 1, 2
"""
# The feed waits for the oldest transaction of the cluster that has written something.
SLOWEST_WRITER = """
SELECT pid, application_name, state, xact_start, datname FROM pg_stat_activity
 WHERE backend_xid IS NOT NULL AND xact_start < clock_timestamp() - make_interval(secs => %s)
 ORDER BY age(backend_xid) DESC LIMIT 1
"""
PARKED = """
SELECT subscription, count(*), count(DISTINCT stream), min(parked_at),
       count(*) FILTER (WHERE error <> '')
  FROM sagas_parkedevent WHERE settled_at IS NULL GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True)
class Lag:
    """One reader of the log: what it has not taken in yet, and whether it stands still."""

    subscription: str
    shard: int
    kind: str
    state: str
    error: str
    moved_at: datetime | None
    waiting: int
    oldest: datetime | None
    more: bool

    @property
    def stopped(self) -> bool:
        return self.state == "stopped"


@dataclass(frozen=True)
class Writer:
    """The session that the whole feed waits for."""

    pid: int
    application: str
    state: str
    since: datetime
    database: str


@dataclass(frozen=True)
class ParkedEvents:
    """What one reaction could not digest: `broken` of the events themselves, the rest wait behind them."""

    subscription: str
    count: int
    streams: int
    oldest: datetime
    broken: int


def lags() -> list[Lag]:
    """Every reader this code has, by name."""
    each = [(sub, shard) for sub in subscriptions() for shard in range(sub.shards)]
    kinds = {sub.name: sub.kind for sub, _ in each}
    params = {
        "names": [sub.name for sub, _ in each],
        "shards": [shard for _, shard in each],
        "of": [sub.shards for sub, _ in each],
        "types": [",".join(sub.types) for sub, _ in each],
        "unled": [sub.unled for sub, _ in each],
        "most": MOST_EVENTS,
    }
    return [_lag(row, kinds[row[0]]) for row in rows(LAG, params)]


def _lag(row: tuple[object, ...], kind: str) -> Lag:
    *first, looked = row
    name, shard, state, error, moved_at, waiting, oldest = first
    return Lag(name, shard, kind, state, error, moved_at, waiting, oldest, looked == MOST_EVENTS)  # type: ignore[arg-type]


def slowest_writer() -> Writer | None:
    """The oldest writing transaction, if it is open for long: no reader gets past it."""
    found = rows(SLOWEST_WRITER, [SLOW_WRITER_SECONDS])
    return Writer(*found[0]) if found else None


def parked() -> list[ParkedEvents]:
    """Unsettled parked events by reader."""
    return [ParkedEvents(*row) for row in rows(PARKED)]


def builds() -> list[ProjectionBuild]:
    """The last build of each projection, whatever became of it."""
    return list(ProjectionBuild.objects.order_by("name", "-id").distinct("name"))


def skipped() -> list[SkippedEvent]:
    """What people let projections pass over, the newest first."""
    return list(SkippedEvent.objects.order_by("-id")[:MOST_SKIPPED])
