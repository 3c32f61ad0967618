"""Cleaning the database between tests that really commit, in milliseconds.

Django truncates every table and announces the migration again. Here only tables that hold rows are emptied,
and what the migrations planted (the first era of the log, for one) is put back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

#: Written by migrations only, and never by a test.
CONSTANT = frozenset({"django_migrations", "django_content_type", "auth_permission"})

TABLES = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname = 'public' AND c.relname <> ALL (%s)
    ORDER BY 1
"""

PLANTED = """
    SELECT quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname = 'planted'
"""


@dataclass(frozen=True)
class QuickFlush:
    """The tables to look at, and copies of those that migrations planted rows in."""

    tables: tuple[str, ...]
    planted: dict[str, str]

    @classmethod
    def after_migrations(cls, connection: BaseDatabaseWrapper) -> QuickFlush:
        """Look at a freshly migrated database."""
        with connection.cursor() as cursor:
            cursor.execute(TABLES, [list(CONSTANT)])
            tables = tuple(name for (name,) in cursor.fetchall())
            cursor.execute("CREATE SCHEMA IF NOT EXISTS planted")
            planted = {}
            for table in _filled(cursor, tables):
                copy = f"planted.{table.removeprefix('public.')}"
                cursor.execute(f"CREATE TABLE IF NOT EXISTS {copy} AS TABLE {table}")
                planted[table] = copy
        return cls(tables, planted)

    @classmethod
    def remembered(cls, connection: BaseDatabaseWrapper) -> QuickFlush:
        """The same later on, from the copies that were made then."""
        with connection.cursor() as cursor:
            cursor.execute(TABLES, [list(CONSTANT)])
            tables = tuple(name for (name,) in cursor.fetchall())
            cursor.execute(PLANTED)
            return cls(tables, {f"public.{name}": f"planted.{name}" for (name,) in cursor.fetchall()})

    def run(self, connection: BaseDatabaseWrapper) -> None:
        """Empty what holds rows and put planted rows back, past triggers and foreign keys."""
        with connection.cursor() as cursor:
            filled = _filled(cursor, self.tables)
            work = [f"DELETE FROM {table}" for table in filled]
            work += [
                f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE {copy}"
                for table, copy in self.planted.items()
            ]
            if work:
                cursor.execute(
                    "BEGIN; SET LOCAL session_replication_role = replica; " + "; ".join(work) + "; COMMIT"
                )


def _filled(cursor: Any, tables: tuple[str, ...]) -> list[str]:
    probes = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
    cursor.execute(probes)
    return [name for (name,) in cursor.fetchall()]
