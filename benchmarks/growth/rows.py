"""How tables stand after a load: rows, room, dead rows, and how many updates touched no index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

FACTS = """
SELECT relname, 0, n_dead_tup, n_tup_upd, n_tup_hot_upd, n_tup_newpage_upd, autovacuum_count,
       pg_table_size(relid), pg_indexes_size(relid)
  FROM pg_stat_user_tables
 WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY pg_total_relation_size(relid) DESC, relname
"""
SIZES = "SELECT pg_table_size(%(table)s::regclass), pg_indexes_size(%(table)s::regclass)"
RESET = "SELECT pg_stat_reset()"
#: Counters arrive when a session is idle or ends; all have by then.
FLUSH = "SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()"


@dataclass(frozen=True)
class TableFacts:
    """One table. `rebuilt_*` are its sizes when written anew, 0 as long as nobody has."""

    name: str
    rows: int
    dead: int
    updates: int
    hot: int
    moved: int
    vacuums: int
    heap: int
    indexes: int
    rebuilt_heap: int = 0
    rebuilt_indexes: int = 0

    @property
    def hot_share(self) -> float | None:
        """Updates that touched no index; None without updates."""
        return self.hot / self.updates if self.updates else None

    @property
    def moved_share(self) -> float | None:
        """Updates that found no room on their page."""
        return self.moved / self.updates if self.updates else None

    @property
    def heap_bloat(self) -> float | None:
        """How much larger the table is than written anew with the same fill factor: 0.25 is a quarter."""
        return self.heap / self.rebuilt_heap - 1 if self.rebuilt_heap else None

    @property
    def index_bloat(self) -> float | None:
        """The same of its indexes."""
        return self.indexes / self.rebuilt_indexes - 1 if self.rebuilt_indexes else None


def begin(connection: psycopg.Connection[Any]) -> None:
    """Count from here on."""
    connection.execute(RESET)


def read(connection: psycopg.Connection[Any]) -> list[TableFacts]:
    """All tables that anything was written to, the largest first."""
    connection.execute(FLUSH)
    found = [TableFacts(*row) for row in connection.execute(FACTS)]
    return [replace(one, rows=_count(connection, one.name)) for one in found]


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])


def rebuild(connection: psycopg.Connection[Any], facts: Sequence[TableFacts]) -> list[TableFacts]:
    """Write every table anew, and note how large it is then: not an estimate, but only for a database that goes."""
    return [_rebuilt(connection, one) for one in facts]


def _rebuilt(connection: psycopg.Connection[Any], facts: TableFacts) -> TableFacts:
    connection.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(facts.name)))
    row = connection.execute(SIZES, {"table": facts.name}).fetchone()
    assert row is not None
    return replace(facts, rebuilt_heap=row[0], rebuilt_indexes=row[1])


def store(connection: psycopg.Connection[Any], settings: Mapping[str, str]) -> None:
    """Try other storage settings: by table what stands in `ALTER TABLE ... SET (...)`. Rows of before stay put."""
    for table, options in settings.items():
        connection.execute(sql.SQL("ALTER TABLE {} SET ({})").format(sql.Identifier(table), sql.SQL(options)))
