"""What readers of a projection see: which slot is live, and up to where in the feed its events were taken in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection

from sagas.log import Token
from sagas.projections import SLOTS, get_projection
from sagas.sql import rows

FIRST_SLEEP, LONGEST_SLEEP = 0.004, 0.1

SIGHT = f"""
SELECT coalesce(p.live_slot, {SLOTS[0]}), coalesce(c.era, 0), coalesce(c.xid, 0), coalesce(c.position, 0),
       coalesce(c.state, 'running') = 'stopped'
  FROM (SELECT %(name)s::text AS name) w
  LEFT JOIN sagas_projection p USING (name)
  LEFT JOIN sagas_checkpoint c ON c.subscription = w.name AND c.shard = 0
"""  # noqa: S608 - a number of this module
# A checkpoint moves with events of its own. Past it everything up to the token may be taken in all the same: when
# the token is settled and nothing in between is for this reader.
REACHED = """
SELECT s.*, (e.era, e.next) <= (%(era)s, %(xid)s) AS ahead,
       (s.era, s.xid, s.position) >= (%(era)s, %(xid)s, %(position)s) OR (
         (%(era)s, %(xid)s) < (e.era, e.settled) AND NOT EXISTS (
           SELECT FROM sagas_event WHERE (era, xid, position) > (s.era, s.xid, s.position)
              AND (era, xid, position) <= (%(era)s, %(xid)s, %(position)s) AND type = ANY(%(types)s::text[]))
       ) AS reached
  FROM ({sight}) s (slot, era, xid, position, stopped),
       (SELECT (SELECT max(era) FROM sagas_era) AS era, pg_snapshot_xmin(pg_current_snapshot())::text::bigint
          AS settled, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) e
""".replace("{sight}", SIGHT)


@dataclass(frozen=True)
class Sight:
    """A reader's view of a projection: read `slot` of database `using`, and every event up to `token` is in it."""

    slot: int
    token: Token
    using: str = DEFAULT_DB_ALIAS


class Behind(Exception):
    """The projection has not taken in what was asked for, within the time there was."""


def sight(name: str, *, using: str = DEFAULT_DB_ALIAS) -> Sight:
    """What readers see now. To be asked before the rows are read: they may be newer than it says, never older."""
    slot, era, xid, position, _ = rows(SIGHT, {"name": name}, using=using)[0]
    return Sight(slot, Token(era, xid, position), using)


def sight_not_before(name: str, token: Token, *, seconds: float) -> Sight:
    """What readers see once everything up to `token` is taken in. Waits outside of any transaction of its own.

    Raises Behind after so many seconds; at once if the projection is stopped or no such token was given out yet.
    """
    types = [cls.type for cls in get_projection(name).of]
    asked = {"name": name, "era": token.era, "xid": token.xid, "position": token.position, "types": types}
    for wait in _sleeps(seconds):
        slot, era, xid, position, stopped, ahead, reached = rows(REACHED, asked)[0]
        if reached:
            return Sight(slot, max(token, Token(era, xid, position)))
        if stopped or ahead:
            break
        _sleep(wait)
    raise Behind(f"{name} has not reached {token}.")


def _sleeps(seconds: float) -> Iterator[float]:
    """How long to sleep after each look, growing; the last look comes when the time is over."""
    until, wait = time.monotonic() + seconds, FIRST_SLEEP
    while (left := until - time.monotonic()) > 0:
        yield min(wait, left)
        wait = min(wait * 1.5, LONGEST_SLEEP)
    yield 0.0


def _sleep(seconds: float) -> None:
    """Sleep without keeping a pooled connection from others."""
    if not seconds:
        return
    options: dict[str, Any] = connection.settings_dict.get("OPTIONS", {})
    if options.get("pool") and not connection.in_atomic_block:
        connection.close()
    time.sleep(seconds)
