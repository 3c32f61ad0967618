"""Looking for somebody everywhere: in every row, in what the database keeps of rows, in Redis, in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from psycopg import sql

#: Everything the database shows of itself that may hold values: each table of ours, and samples of columns.
TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
 WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'
 UNION ALL VALUES ('pg_catalog', 'pg_stats'), ('pg_catalog', 'pg_stats_ext')
"""


def in_the_database(needles: Iterable[str]) -> dict[str, list[str]]:
    """Tables in which some row holds a needle in any column, whatever its type, and which needles."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for schema, table in cursor.fetchall():
            for needle in needles:
                query = sql.SQL("SELECT EXISTS (SELECT FROM {} AS t WHERE t::text ILIKE %s)")
                cursor.execute(query.format(sql.Identifier(schema, table)), [f"%{needle}%"])
                if cursor.fetchone()[0]:
                    found.setdefault(table, []).append(needle)
    return found


def in_texts(needles: Iterable[str], texts: Iterable[str]) -> list[str]:
    """The needles that stand in any of the texts, in whatever case."""
    hay = [text.casefold() for text in texts]
    return [needle for needle in needles if any(needle.casefold() in text for text in hay)]


def in_files(needles: Iterable[str], folder: Path) -> list[str]:
    """The needles that stand in any file below a folder."""
    files = [file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file()]
    assert files
    return in_texts(needles, files)


def in_redis(needles: Iterable[str]) -> list[str]:
    """The needles that stand in any key or value."""
    return in_texts(needles, _all_of_redis(redis.from_url(settings.WAYBILL.redis_url)))


def _all_of_redis(client: Any) -> Iterator[str]:
    reads = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    for key in client.scan_iter():
        yield f"{key!r} {reads[client.type(key)](key)!r}"


def everything_but(*left_out: str) -> dict[str, list[str]]:
    """All rows of all tables of ours as text, sorted, but for some tables."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for schema, table in cursor.fetchall():
            if schema == "public" and table not in left_out:
                query = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1")
                cursor.execute(query.format(sql.Identifier(schema, table)))
                found[table] = [row[0] for row in cursor.fetchall()]
    return found
