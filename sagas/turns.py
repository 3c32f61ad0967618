"""Turns: a trace of work in progress, so that work which kills its worker is found and cornered.

A child commits a turn before it begins. A turn whose database session is gone has died: the next one at the
same name may take half as much, down to one, and then the one row it is about to run is named beforehand.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5
from weakref import WeakKeyDictionary

from django.db import connection

from sagas.ids import KEY_NAMESPACE, uuid7
from sagas.log import Token
from sagas.sql import execute, rows

#: Alone and dead so often: parked.
DEATHS_ALONE = 3

# A turn lives exactly as long as the session that began it.
_DEAD = """
  DELETE FROM sagas_turn t
   WHERE t.name = %(name)s
     AND NOT EXISTS (SELECT FROM pg_stat_activity a
                      WHERE a.pid = t.backend_pid AND a.backend_start = t.backend_start)
  RETURNING t.cap, t.suspect
"""
BURY = f"WITH dead AS ({_DEAD}) SELECT cap, suspect, waybill_now() FROM dead"  # noqa: S608 - a constant
# One statement, since each turn of an order alone pays for it.
BEGIN = f"""
WITH dead AS ({_DEAD}), mine AS (
  INSERT INTO sagas_turn (id, name, cap, worker, backend_pid, backend_start, began_at)
  SELECT %(id)s, %(name)s, least(%(full)s, coalesce((SELECT cap FROM sagas_death WHERE name = %(name)s), %(full)s)),
         %(worker)s, pg_backend_pid(), %(since)s, waybill_now()
  RETURNING cap
)
SELECT mine.cap, dead.cap, dead.suspect, waybill_now() FROM mine LEFT JOIN dead ON true
"""  # noqa: S608 - a constant
SINCE = "SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"

CORNER = """
INSERT INTO sagas_death (name, cap, died_at) VALUES (%s, greatest(1, %s / 2), %s)
ON CONFLICT (name) DO UPDATE SET cap = least(sagas_death.cap, excluded.cap), died_at = excluded.died_at
"""

EASE = """
WITH grown AS (
  DELETE FROM sagas_death WHERE name = %s AND cap >= %s / 2 AND died_at <= waybill_now() - %s RETURNING name
)
UPDATE sagas_death SET cap = cap * 2
 WHERE name = %s AND cap < %s / 2 AND died_at <= waybill_now() - %s
RETURNING cap
"""
CAP = "SELECT cap FROM sagas_death WHERE name = %s"


@dataclass
class Progress:
    """A turn that is under way."""

    id: UUID
    name: str
    cap: int
    full: int
    patience: timedelta = timedelta(0)  #: How long after a death batches do not grow.
    taken: int = 0  #: How many rows the last batch took.
    at: Token | None = None  #: Where in the feed the last batch began.

    @property
    def cornered(self) -> bool:
        """Whether so many turns died here that rows run alone, named beforehand."""
        return self.cap == 1 and self.full > 1

    def suspect(self, row: UUID) -> None:
        """Commit which row runs next, alone. If the turn dies, that row is to blame."""
        execute("UPDATE sagas_turn SET suspect = %s WHERE id = %s", [row, self.id])

    def survived(self) -> None:
        """A batch went well: let the next one grow again, once what the dead had claimed has come back."""
        if self.cap < self.full:
            rows(EASE, [self.name, self.full, self.patience, self.name, self.full, self.patience])
            self.cap = cap_of(self.name, self.full)


@contextmanager
def turn(name: str, *, full: int, patience: timedelta = timedelta(0)) -> Iterator[Progress]:
    """Work at `name` in batches of at most `full`, fewer after deaths. The trace goes when the block ends alive."""
    mine = _begin(Progress(uuid7(), name, full, full, patience))
    try:
        yield mine
    finally:
        execute("DELETE FROM sagas_turn WHERE id = %s", [mine.id])


def _begin(mine: Progress) -> Progress:
    """Leave the trace. If others died here, their deaths count for this turn already."""
    params = {"id": mine.id, "name": mine.name, "full": mine.full, "worker": worker_name(), "since": _since()}
    found = rows(BEGIN, params)
    mine.cap = found[0][0]
    if dead := [(cap, suspect) for _, cap, suspect, _ in found if cap is not None]:
        _note(mine.name, dead, found[0][3])
        mine.cap = cap_of(mine.name, mine.full)
        execute("UPDATE sagas_turn SET cap = %s WHERE id = %s", [mine.cap, mine.id])
    return mine


def bury(name: str) -> int:
    """Note the turns that died at `name`. How many."""
    found = rows(BURY, {"name": name})
    if found:
        _note(name, [(cap, suspect) for cap, suspect, _ in found], found[0][2])
    return len(found)


def _note(name: str, dead: Sequence[tuple[int, UUID | None]], now: datetime) -> None:
    for cap, suspect in dead:
        execute(CORNER, [name, cap, now])
        if suspect is not None:
            execute(
                "INSERT INTO sagas_suspect (row_id, deaths) VALUES (%s, 1) "
                "ON CONFLICT (row_id) DO UPDATE SET deaths = sagas_suspect.deaths + 1",
                [suspect],
            )


_sessions: WeakKeyDictionary[Any, datetime] = WeakKeyDictionary()


def _since() -> datetime:
    """When this session began, as the server has it: asked for once, it is slow to tell."""
    connection.ensure_connection()
    session = connection.connection
    if session not in _sessions:
        _sessions[session] = rows(SINCE)[0][0]
    return _sessions[session]


def cap_of(name: str, full: int) -> int:
    """How much the next batch at `name` may take."""
    found = rows(CAP, [name])
    return min(full, int(found[0][0])) if found else full


def condemned(row: UUID) -> bool:
    """Whether this row has killed its worker so often, alone, that it must be parked."""
    found = rows("SELECT deaths FROM sagas_suspect WHERE row_id = %s", [row])
    return bool(found) and found[0][0] >= DEATHS_ALONE


def acquit(row: UUID) -> None:
    """Forget the deaths of a row: it lived, or a person sends it again."""
    execute("DELETE FROM sagas_suspect WHERE row_id = %s", [row])


def suspect_id(name: str, stream: UUID, version: int) -> UUID:
    """The name under which an event at a subscription is suspected."""
    return uuid5(KEY_NAMESPACE, f"{name}|{stream}|{version}")


@lru_cache(maxsize=1)
def _host() -> str:
    return socket.gethostname()


def worker_name() -> str:
    """This process, for people: host and pid."""
    return f"{_host()}:{os.getpid()}"


class KilledItsWorker(RuntimeError):
    """What is recorded of a row that was running alone each time its worker died."""
