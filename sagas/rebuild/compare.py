"""Comparing both slots of a projection: row by row, in the database, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from sagas.projections import Projection
from sagas.rebuild.builds import part
from sagas.sql import execute, rows

#: So many keys of rows that differ are shown for each table.
EXAMPLES = 5
#: A million rows of each slot are compared in memory.
WORK_MEM = "SELECT set_config('work_mem', '256MB', true)"

COLUMNS = """
SELECT a.attname, coalesce(a.attnum = ANY(i.indkey), false)
  FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
 WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'slot'
 ORDER BY a.attnum
"""
CHECKSUM = "SELECT count(*), coalesce(sum(hashtextextended(({row})::text, 0)::numeric), 0) FROM {part} p"
PAIRS = """
  FROM (SELECT {key}, ROW({rest})::text AS said FROM {old} p) o
  FULL JOIN (SELECT {key}, ROW({rest})::text AS said FROM {new} p) n USING ({key})
 WHERE o.said IS DISTINCT FROM n.said
"""
COUNT = "SELECT count(*) FILTER (WHERE n.said IS NULL), count(*) FILTER (WHERE o.said IS NULL), count(*)"


@dataclass(frozen=True)
class Difference:
    """What one table says differently in the new slot: rows only the old one has, only the new one, and others."""

    table: str
    rows: int
    gone: int
    added: int
    changed: int
    keys: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return self.gone + self.added + self.changed


def compare(projection: Projection, old: int, new: int) -> list[Difference]:
    """Every table, all columns but the slot, in the caller's transaction. First by checksum; keys only if needed."""
    execute(WORK_MEM)
    return [_compare(table, part(table, old), part(table, new)) for table in projection.tables]


def _compare(table: str, old: str, new: str) -> Difference:
    columns = [(connection.ops.quote_name(name), in_key) for name, in_key in rows(COLUMNS, [table])]
    row = ", ".join(name for name, _ in columns)
    before, after = (rows(CHECKSUM.format(row=f"ROW({row})", part=p))[0] for p in (old, new))
    if before == after:
        return Difference(table, after[0], 0, 0, 0)
    return _listed(table, after[0], columns, old, new)


def _listed(table: str, count: int, columns: Sequence[tuple[str, bool]], old: str, new: str) -> Difference:
    key = ", ".join(name for name, in_key in columns if in_key)
    rest = ", ".join(name for name, in_key in columns if not in_key)
    pairs = PAIRS.format(key=key, rest=rest, old=old, new=new)
    gone, added, differing = rows(COUNT + pairs)[0]
    keys = rows(f"SELECT {key} {pairs} ORDER BY {key} LIMIT {EXAMPLES}")
    told = tuple(", ".join(str(value) for value in row) for row in keys)
    return Difference(table, count, gone, added, differing - gone - added, told)
