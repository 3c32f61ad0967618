"""Thin helpers over Django's connection for the set-based statements of the main flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from psycopg.adapt import Loader

#: A statement run so often on one connection is planned once more, and then no longer.
KEEP_PLANS_AFTER = 3

Params = Sequence[Any] | Mapping[str, Any] | None


def rows(
    sql: str, params: Params = None, *, using: str = DEFAULT_DB_ALIAS, prepare: bool = True
) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows. A list is passed as an array: `%s::uuid[]`.

    The server keeps the plan of what a connection runs again and again. Where the best plan depends on the values
    (a filter that may find nearly all or nearly nothing), say `prepare=False`.
    """
    with _cursor(using, prepare) as cursor:
        cursor.execute(sql, _arrays(params))
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def execute(sql: str, params: Params = None, *, prepare: bool = True) -> int:
    """Run one statement and return how many rows it touched. A list is passed as an array: `%s::uuid[]`.

    Several statements in one text need `prepare=False`.
    """
    with _cursor(DEFAULT_DB_ALIAS, prepare) as cursor:
        cursor.execute(sql, _arrays(params))
        return int(cursor.rowcount)


def _cursor(using: str, prepare: bool) -> Any:
    """Django's cursor; or one whose values travel beside the statement and whose rows come in binary.

    The former writes values into the statement's text, which is then planned each time: for one order alone that
    is a third of all. Rows in binary are read by the driver in a quarter of the time.
    """
    database = connections[using]
    if not prepare or database.queries_logged:  # whoever looks at statements wants to see their values
        return database.cursor()
    database.ensure_connection()
    cursor = psycopg.Cursor(database.connection)
    cursor.format = psycopg.pq.Format.BINARY
    wrapped: Any = database._prepare_cursor(cursor)  # type: ignore[attr-defined]  # its wrapper counts and times
    return wrapped


class JsonbAsText(Loader):
    """Django's own loader for the text format does the same."""

    format = psycopg.pq.Format.BINARY

    def load(self, data: Any) -> str:
        """Without the version that stands before it."""
        return bytes(data[1:]).decode()


@receiver(connection_created)
def teach(connection: Any, **_: Any) -> None:
    """Each new connection knows how to read jsonb, and when to keep a plan."""
    raw = connection.connection
    raw.adapters.register_loader("jsonb", JsonbAsText)
    raw.prepare_threshold = KEEP_PLANS_AFTER


def _arrays(params: Params) -> Any:
    """Write lists as array literals here: it takes the driver four times as long, and batches are all arrays."""
    if isinstance(params, Mapping):
        return {name: _literal(value) for name, value in params.items()}
    return params if params is None else [_literal(value) for value in params]


def _literal(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kinds = set(map(type, value))
    if kinds == {str}:
        return _texts(value)
    if kinds == {int}:
        return "{" + ",".join(map(str, value)) + "}"
    if kinds == {UUID}:
        return (
            "{" + ",".join([f"{item.int:032x}" for item in value]) + "}"
        )  # half the time of text with hyphens
    kinds -= {type(None)}
    if not kinds <= _PLAIN and not all(issubclass(kind, str) for kind in kinds):
        return value  # the driver knows best
    return "{" + ",".join([_item(item) for item in value]) + "}"


def _texts(value: list[str]) -> str:
    """Most texts hold nothing that has to be escaped: they are looked through all at once."""
    text = '","'.join(value)
    if "\\" in text or text.count('"') != 2 * (len(value) - 1):
        return "{" + ",".join([_item(item) for item in value]) + "}"
    return '{"' + text + '"}'


def _item(item: Any) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, str):
        return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(item, UUID):
        return f"{item.int:032x}"
    return f'"{item.isoformat()}"' if isinstance(item, date) else str(item)


_PLAIN: set[type] = {int, bool, float, UUID, date, datetime}
