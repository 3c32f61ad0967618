"""Comparing both slots of a projection: row by row, in the database, whatever their number."""

from __future__ import annotations

from dataclasses import dataclass

from sagas.projections import Projection
from sagas.rebuild.builds import part
from sagas.sql import execute, rows

#: So many keys of rows that differ are shown for each table.
EXAMPLES = 5
#: A million rows of each slot are joined in memory.
WORK_MEM = "SELECT set_config('work_mem', '256MB', true)"

COLUMNS = """
SELECT quote_ident(a.attname), coalesce(a.attnum = ANY(i.indkey), false), a.atttypid = 'json'::regtype
  FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
 WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'slot'
 ORDER BY a.attnum
"""
# For a million rows in each slot half as dear as a checksum of their texts, and it tells what differs too. A row
# that one side does not have has no slot there.
COUNT = """
SELECT count(n.slot), count(*) FILTER (WHERE n.slot IS NULL), count(*) FILTER (WHERE o.slot IS NULL),
       count(*) FILTER (WHERE o.slot IS NOT NULL AND n.slot IS NOT NULL AND {differ})
  FROM {old} o FULL JOIN {new} n USING ({key})
"""
LIST = """
SELECT {key} FROM {old} o FULL JOIN {new} n USING ({key})
 WHERE o.slot IS NULL OR n.slot IS NULL OR {differ} ORDER BY {key} LIMIT {examples}
"""


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
    """Every table, all columns but the slot, in the caller's transaction."""
    execute(WORK_MEM)
    return [_compare(table, part(table, old), part(table, new)) for table in projection.tables]


def _compare(table: str, old: str, new: str) -> Difference:
    columns = rows(COLUMNS, [table])
    key = ", ".join(name for name, in_key, _ in columns if in_key)
    rest = [f"{name}::text" if is_json else name for name, in_key, is_json in columns if not in_key]
    before, after = (", ".join(f"{side}.{name}" for name in rest) for side in "on")
    differ = f"ROW({before}) IS DISTINCT FROM ROW({after})" if rest else "false"
    words = {"key": key, "differ": differ, "old": old, "new": new, "examples": EXAMPLES}
    count, gone, added, changed = rows(COUNT.format(**words))[0]
    listed = rows(LIST.format(**words)) if gone + added + changed else []
    keys = tuple(", ".join(str(value) for value in row) for row in listed)
    return Difference(table, count, gone, added, changed, keys)
