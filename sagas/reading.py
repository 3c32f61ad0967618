"""Reads that may be a moment old: from the replica when there is one, else from the primary.

A read never fails because of the replica: when it cannot be reached, the primary answers, and is asked alone for
a few seconds. Inside a transaction the primary answers too, so that a transaction sees what it wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections

from sagas.log import Token
from sagas.sql import Params, rows

logger = structlog.get_logger(__name__)

T = TypeVar("T")

REPLICA = "replica"
#: How long a replica that could not be reached is left alone.
AWAY_SECONDS = 5.0
#: One warning in so many seconds, however many reads.
WARN_SECONDS = 60.0

#: States of PostgreSQL that say: this server will not do, another may. A read that clashes with what the replica
#: replays is one of them (40001, 40P01); a time-out is not, since the primary would be no faster.
ELSEWHERE = ("08", "57P", "40001", "40P01", "53")

REACHED = """
SELECT coalesce(bool_and((era, xid, position) >= (%s, %s, %s)), false) FROM sagas_checkpoint WHERE subscription = %s
"""


class _Standing:
    """What this process knows of the replica."""

    away_until = 0.0
    warn_after = 0.0

    def may_be_asked(self) -> bool:
        """Once it was lost, one read at a time looks whether it is back; the others do not wait for that."""
        now = time.monotonic()
        if now < self.away_until:
            return False
        if self.away_until:
            self.away_until = now + AWAY_SECONDS
        return True

    def answered(self) -> None:
        """It is there."""
        self.away_until = 0.0

    def lost(self, error: Exception) -> None:
        """It could not be reached: leave it alone for a while, and say so, not too often."""
        now = time.monotonic()
        self.away_until = now + AWAY_SECONDS
        if now >= self.warn_after:
            self.warn_after = now + WARN_SECONDS
            logger.warning("replica_not_reached", error=str(error).strip())


_standing = _Standing()


def read(query: Callable[[str], T], *, after: tuple[str, Token] | None = None) -> T:
    """Run `query` with the alias of a database, and with the primary's when the replica fails at it.

    It must be done when it returns: `read(lambda alias: list(Order.objects.using(alias)))`. `after` names a
    subscription and how far it must have come: a replica that is not there yet is passed over, so that a client
    reads its own write. Whether the primary is there, the caller asks by `reached`.
    """
    if _may_use_replica():
        try:
            if after is None or reached(*after, using=REPLICA):
                return _answered(query(REPLICA))
        except (OperationalError, InterfaceError) as error:
            _lose_or_raise(error)
    return query(DEFAULT_DB_ALIAS)


def replica_rows(
    sql: str, params: Params = None, *, after: tuple[str, Token] | None = None
) -> list[tuple[Any, ...]]:
    """Run one reading statement and return its rows, like `sagas.sql.rows`."""
    return read(lambda alias: rows(sql, params, using=alias), after=after)


def read_alias(*, after: tuple[str, Token] | None = None) -> str:
    """Where to read now, for a queryset that is not evaluated here. The replica has just answered, which is no promise
    that it will again: `read` is safer.
    """
    if not _may_use_replica():
        return DEFAULT_DB_ALIAS
    try:
        there = _answered(
            bool(rows("SELECT 1", using=REPLICA)) if after is None else reached(*after, using=REPLICA)
        )
    except (OperationalError, InterfaceError) as error:
        _lose_or_raise(error)
        return DEFAULT_DB_ALIAS
    return REPLICA if there else DEFAULT_DB_ALIAS


def reached(subscription: str, token: Token, *, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether every shard of a subscription has come as far as this token, by the rows of this database."""
    return bool(rows(REACHED, [*token, subscription], using=using)[0][0])


def _may_use_replica() -> bool:
    return REPLICA in connections.settings and not connection.in_atomic_block and _standing.may_be_asked()


def _answered(found: T) -> T:
    _standing.answered()
    return found


def _lose_or_raise(error: Exception) -> None:
    """Let the primary answer if it may do better. A connection that broke has no state at all."""
    state = getattr(error.__cause__, "sqlstate", None) or ""
    if state and not state.startswith(ELSEWHERE):
        raise error
    if not state.startswith("40"):  # a clash with what it replays: the next read may do
        _standing.lost(error)
        connections[REPLICA].close()
