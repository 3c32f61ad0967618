"""Relay: subscriptions that lag get their bell; delivered here when the broker is of no use."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sagas import bell, feed
from sagas.bus import Subscription, subscriptions
from sagas.clock import database_now
from sagas.delivery import deliver, stale
from sagas.log import Token
from sagas.loops import keeper, one_of_many
from sagas.sql import rows

#: Events waiting so long are delivered here.
OVERDUE_SECONDS = 10.0

POSITIONS = "SELECT subscription, shard, era, xid, position, state FROM sagas_checkpoint"


@keeper("sagas.relay", every=0.5)
def relay(*, now: datetime) -> int:
    """Ring for every subscription with undelivered events; deliver overdue ones in this process."""
    at = {(name, shard): (Token(e, x, p), state) for name, shard, e, x, p, state in rows(POSITIONS)}
    count = 0
    for sub in subscriptions():
        for shard in range(sub.shards):
            token, state = at.get((sub.name, shard), (Token(0, 0, 0), "running"))
            if state == "running":
                count += one_of_many(sub.task(shard), partial(_relay, sub, shard, token, now))
    return count


def _relay(sub: Subscription, shard: int, token: Token, now: datetime) -> int:
    waiting, horizon = feed.first(token, sub.types, shards=sub.shards, shard=shard)
    if waiting is None:
        return deliver(sub.task(shard), now=database_now, seconds=0.5) if stale(token, horizon) else 0
    rung = bell.ring(sub.task(shard))
    if rung and (now - waiting.at).total_seconds() < OVERDUE_SECONDS:
        return 0
    return deliver(sub.task(shard), now=database_now, seconds=2.0)
