"""Reads that may be a moment old: from the replica when there is one, else from the primary.

A read never fails because of the replica: when it cannot be reached, the primary answers, and is asked alone for
a few seconds. Inside a transaction the primary answers too, so that a transaction sees what it wrote.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections

from sagas.log import Token
from sagas.sql import Params, rows

logger = structlog.get_logger(__name__)

REPLICA = "replica"
#: How long a replica that could not be reached is left alone.
AWAY_SECONDS = 5.0
#: One warning in so many seconds, however many reads.
WARN_SECONDS = 60.0

#: States of PostgreSQL that say: this server will not do, another may. A read that clashes with what the replica
#: replays is one of them (40001, 40P01); a time-out is not, since the primary would be no faster.
ELSEWHERE = ("08", "57P", "40001", "40P01", "53")

REACHED = """
SELECT EXISTS (SELECT FROM sagas_checkpoint
                WHERE subscription = %s AND (era, xid, position) >= (%s, %s, %s))
"""


class _Standing:
    """What this process knows of the replica."""

    away_until = 0.0
    warn_after = 0.0

    def lost(self, error: Exception) -> None:
        """It could not be reached: leave it alone for a while, and say so, not too often."""
        now = time.monotonic()
        self.away_until = now + AWAY_SECONDS
        if now >= self.warn_after:
            self.warn_after = now + WARN_SECONDS
            logger.warning("replica_not_reached", error=str(error).strip())


_standing = _Standing()


def replica_rows(
    sql: str, params: Params = None, *, after: tuple[str, Token] | None = None
) -> list[tuple[Any, ...]]:
    """Run one reading statement and return its rows, like `sagas.sql.rows`.

    `after` names a subscription and how far it must have come: a replica that is not there yet is passed over, so
    that a client reads its own write. Whether the primary is there, the caller asks by `reached`.
    """
    if _may_use_replica():
        try:
            if after is None or reached(*after, using=REPLICA):
                return rows(sql, params, using=REPLICA)
        except (OperationalError, InterfaceError) as error:
            _lose_or_raise(error)
    return rows(sql, params)


def read_alias(*, after: tuple[str, Token] | None = None) -> str:
    """Where to read now, for a queryset: `Order.objects.using(read_alias())`. The replica has just answered."""
    if not _may_use_replica():
        return DEFAULT_DB_ALIAS
    try:
        found = rows("SELECT 1", using=REPLICA) if after is None else reached(*after, using=REPLICA)
    except (OperationalError, InterfaceError) as error:
        _lose_or_raise(error)
        return DEFAULT_DB_ALIAS
    return REPLICA if found else DEFAULT_DB_ALIAS


def reached(subscription: str, token: Token, *, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether a subscription has come as far as this token, by the rows of this database."""
    return bool(rows(REACHED, [subscription, *token], using=using)[0][0])


def _may_use_replica() -> bool:
    return (
        REPLICA in connections.settings
        and time.monotonic() >= _standing.away_until
        and not connection.in_atomic_block
    )


def _lose_or_raise(error: Exception) -> None:
    """Let the primary answer if it may do better. A connection that broke has no state at all."""
    state = getattr(error.__cause__, "sqlstate", None) or ""
    if state and not state.startswith(ELSEWHERE):
        raise error
    if not state.startswith("40"):  # a clash with what it replays: the next read may do
        _standing.lost(error)
        connections[REPLICA].close()
