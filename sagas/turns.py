"""Turns: a trace of work in progress, so that work which kills its worker is found and cornered.

A child commits a turn before it begins. A turn whose database session is gone has died: the next one at the
same name may take half as much, down to one, and then the one row it is about to run is named beforehand.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID, uuid5

from sagas.ids import KEY_NAMESPACE, uuid7
from sagas.log import Token
from sagas.sql import execute, rows

#: Alone and dead so often: parked.
DEATHS_ALONE = 3

BEGIN = """
INSERT INTO sagas_turn (id, name, cap, worker, backend_pid, backend_start, began_at)
SELECT %s, %s, %s, %s, pid, backend_start, %s FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""

# A turn lives exactly as long as the session that began it.
BURY = """
DELETE FROM sagas_turn t
 WHERE t.name = %s
   AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = t.backend_pid AND a.backend_start = t.backend_start)
RETURNING t.cap, t.suspect
"""

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
def turn(name: str, *, full: int, now: datetime, patience: timedelta = timedelta(0)) -> Iterator[Progress]:
    """Work at `name` in batches of at most `full`, fewer after deaths. The trace goes when the block ends alive."""
    bury(name, now=now)
    mine = Progress(uuid7(), name, cap_of(name, full), full, patience)
    execute(BEGIN, [mine.id, name, mine.cap, worker_name(), now])
    try:
        yield mine
    finally:
        execute("DELETE FROM sagas_turn WHERE id = %s", [mine.id])


def bury(name: str, *, now: datetime) -> int:
    """Note the turns that died at `name`. How many."""
    dead = rows(BURY, [name])
    for cap, suspect in dead:
        execute(CORNER, [name, cap, now])
        if suspect is not None:
            execute(
                "INSERT INTO sagas_suspect (row_id, deaths) VALUES (%s, 1) "
                "ON CONFLICT (row_id) DO UPDATE SET deaths = sagas_suspect.deaths + 1",
                [suspect],
            )
    return len(dead)


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
