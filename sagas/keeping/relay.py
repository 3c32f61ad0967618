"""Relay: subscriptions that lag get their bell; delivered here when the broker is of no use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sagas import bell, feed
from sagas.bus import Subscription, subscriptions
from sagas.clock import database_now
from sagas.delivery import STALE_XIDS, deliver, stale
from sagas.log import Token
from sagas.loops import keeper, one_of_many
from sagas.sql import execute, rows

#: Events waiting so long are delivered here.
OVERDUE_SECONDS = 10.0

#: So many events are looked through for all readers at once.
LOOKED_THROUGH = 10_000
#: Readers with nothing to read pass by once so many events of others lie behind them.
PASS_BY_AFTER = 1_000

POSITIONS = "SELECT subscription, shard, era, xid, position, state, moved_at FROM sagas_checkpoint"
# Only from where they were seen, and never while somebody delivers, or has the subscription stand still.
MOVE_IDLE = """
UPDATE sagas_checkpoint c SET era = %(era)s, xid = %(xid)s, position = %(position)s, moved_at = waybill_now()
  FROM (SELECT k.subscription, k.shard FROM sagas_checkpoint k
          JOIN unnest(%(names)s::text[], %(shards)s::int[], %(eras)s::int[], %(xids)s::bigint[],
                      %(positions)s::bigint[]) AS w (subscription, shard, era, xid, position)
         USING (subscription, shard, era, xid, position)
         WHERE k.state = 'running'
           AND pg_try_advisory_xact_lock_shared(hashtextextended('waybill.delivery|' || k.subscription, 0))
         ORDER BY k.subscription, k.shard FOR UPDATE OF k SKIP LOCKED) free
 WHERE c.subscription = free.subscription AND c.shard = free.shard
"""

# For a reader that nobody wants. Where the feed ends and that nobody wants it are seen in one look: who begins to want
# it later is a transaction that this look has not seen, so its place in the feed is behind that end.
GO_BY = """
INSERT INTO sagas_checkpoint AS c (subscription, shard, era, xid, position, state, error, moved_at)
SELECT %(name)s::text, %(shard)s::int, f.era, f.xid, 0, 'running', '', waybill_now()
  FROM (SELECT (SELECT max(era) FROM sagas_era) AS era, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid) f
 WHERE NOT EXISTS ({wanted_by})
   AND pg_try_advisory_xact_lock_shared(hashtextextended('waybill.delivery|' || %(name)s::text, 0))
   AND NOT EXISTS (
     SELECT FROM sagas_checkpoint h WHERE h.subscription = %(name)s::text AND h.shard = %(shard)s::int
        AND (h.era, h.xid) > (f.era, f.xid - %(stale)s::int)
        AND NOT EXISTS (SELECT FROM sagas_event e WHERE (e.era, e.xid, e.position) > (h.era, h.xid, h.position)
                           AND (e.era, e.xid, e.position) < (f.era, f.xid, 0)))
ON CONFLICT (subscription, shard) DO UPDATE
   SET era = excluded.era, xid = excluded.xid, position = 0, moved_at = excluded.moved_at
 WHERE c.state = 'running' AND (c.era, c.xid, c.position) < (excluded.era, excluded.xid, 0)
"""

Reader = tuple[Subscription, int, Token]


@keeper("sagas.relay", every=0.5)
def relay(*, now: datetime) -> int:
    """Ring for every subscription with undelivered events; deliver overdue ones in this process."""
    unwanted = pass_all_unwanted()
    at = {(name, shard): (Token(e, x, p), *rest) for name, shard, e, x, p, *rest in rows(POSITIONS)}
    wanted_by_some = [sub for sub in subscriptions() if sub.name not in unwanted]
    each = [(sub, shard) for sub in wanted_by_some for shard in range(sub.shards)]
    new = [(sub, shard, Token(0, 0, 0)) for sub, shard in each if (sub.name, shard) not in at]
    known = [(sub, shard, *at[sub.name, shard]) for sub, shard in each if (sub.name, shard) in at]
    running = [(sub, shard, token) for sub, shard, token, state, _ in known if state == "running"]
    early = {(sub.name, shard) for sub, shard, _, _, moved_at in known if not _is_time(sub, moved_at, now)}
    count = 0
    wanted = [r for r in _wanted(running) if (r[0].name, r[1]) not in early]
    for sub, shard, token in [*new, *wanted]:
        count += one_of_many(sub.task(shard), partial(_relay, sub, shard, token, now))
    return count


def pass_all_unwanted() -> set[str]:
    """Bring readers that nobody wants to the end of the feed, unread. Returns their names."""
    unwanted = set()
    for sub in subscriptions():
        if sub.wanted_by and not rows(f"SELECT EXISTS ({sub.wanted_by})")[0][0]:
            unwanted.add(sub.name)
            for shard in range(sub.shards):
                pass_unwanted(sub, shard)
    return unwanted


def pass_unwanted(sub: Subscription, shard: int) -> int:
    """Bring one reader to the end of the feed unless somebody wants it. Returns whether it moved."""
    params = {"name": sub.name, "shard": shard, "stale": STALE_XIDS}
    return execute(GO_BY.format(wanted_by=sub.wanted_by), params)


def _is_time(sub: Subscription, moved_at: datetime | None, now: datetime) -> bool:
    return not sub.every or moved_at is None or (now - moved_at).total_seconds() >= sub.every


def _wanted(readers: Sequence[Reader]) -> list[Reader]:
    """Those for whom there may be something. The others pass by, so that nobody looks through the same again."""
    hurried = [token for sub, _, token in readers if not sub.every]
    if not hurried:
        return list(readers)
    # Who looks only now and then may be far behind. What it has before it is not looked through for the others.
    start = min(hurried)
    behind = [r for r in readers if r[2] < start]
    readers = [r for r in readers if r[2] >= start]
    seen = feed.glance(start, limit=LOOKED_THROUGH)
    idle = [r for r in readers if r[2] < seen.upto and not _for(r[0], seen)]
    if seen.count >= PASS_BY_AFTER or any(stale(token, seen.upto) for _, _, token in idle):
        _pass_by(idle, seen.upto)
    done = {(sub.name, shard) for sub, shard, token in readers if seen.whole and token >= seen.upto}
    done |= {(sub.name, shard) for sub, shard, _ in idle}
    return behind + [r for r in readers if (r[0].name, r[1]) not in done]


def _for(sub: Subscription, seen: feed.Glance) -> bool:
    return not (seen.unled if sub.unled else seen.types).isdisjoint(sub.types)


def _pass_by(readers: Sequence[Reader], upto: Token) -> None:
    if readers:
        tokens = [token for _, _, token in readers]
        params = {"names": [sub.name for sub, _, _ in readers], "shards": [shard for _, shard, _ in readers]}
        params |= {"eras": [t.era for t in tokens], "xids": [t.xid for t in tokens]}
        execute(MOVE_IDLE, params | {"positions": [t.position for t in tokens]} | upto._asdict())


def _relay(sub: Subscription, shard: int, token: Token, now: datetime) -> int:
    waiting, horizon, _ = feed.first(token, sub.types, shards=sub.shards, shard=shard, unled=sub.unled)
    if waiting is None:
        return deliver(sub.task(shard), now=database_now, seconds=0.5) if stale(token, horizon) else 0
    rung = bell.ring(sub.task(shard))
    if rung and (now - waiting.at).total_seconds() < OVERDUE_SECONDS + sub.every:
        return 0
    return deliver(sub.task(shard), now=database_now, seconds=2.0)
