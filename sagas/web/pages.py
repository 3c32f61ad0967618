"""Pages by key: what comes in while somebody reads neither repeats a row nor hides one, at any depth."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from sagas.web.fields import UNPRINTABLE, QuerySerializer
from sagas.web.problems import Problem

LARGEST = 200
NUMBER = re.compile(r"[0-9]{1,9}")
USUAL = 50


class PageQuery(QuerySerializer):
    """What every list understands. Lists add their filters."""

    limit = serializers.IntegerField(
        min_value=1, max_value=LARGEST, default=USUAL, help_text="How many items a page has."
    )
    cursor = serializers.CharField(
        max_length=500, default="", help_text="`next_cursor` of the page before. Opaque."
    )


def cursor_after(*key: str) -> str:
    """The cursor of the page after the row with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def key_in(cursor: str, parts: int | None) -> tuple[str, ...]:
    """The key in a cursor, of so many parts (None: any). Raises Problem 400 for anything we have not made."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise cursor_invalid() from None
    if not isinstance(found, list) or {type(part) for part in found} != {str}:
        raise cursor_invalid()
    if parts not in (None, len(found)):
        raise cursor_invalid()
    if UNPRINTABLE.search("".join(found)) or cursor_after(*found) != cursor:
        raise cursor_invalid()
    return tuple(found)


def list_key_in(cursor: str) -> tuple[str, ...] | None:
    """The key of a list that may be in several orders, None at the first page."""
    return key_in(cursor, None) if cursor else None


def id_in(cursor: str) -> UUID | None:
    """The id in a cursor, None at the first page."""
    if not cursor:
        return None
    (text,) = key_in(cursor, 1)
    try:
        return UUID(text)
    except ValueError:
        raise cursor_invalid() from None


def number_in(cursor: str) -> int:
    """The number in a cursor, 0 at the first page."""
    if not cursor:
        return 0
    (text,) = key_in(cursor, 1)
    if not NUMBER.fullmatch(text):
        raise cursor_invalid()
    return int(text)


def page(request: Request, items: Any, next_cursor: str | None) -> Response:
    """One page; `next_cursor` is null on the last. The Link header holds the next page's address."""
    headers = {}
    if next_cursor:
        query = request.query_params.copy()
        query["cursor"] = next_cursor
        headers["Link"] = f'<{request.path}?{query.urlencode()}>; rel="next"'
    return Response({"items": items, "next_cursor": next_cursor}, headers=headers)


def cursor_invalid() -> Problem:
    """The cursor is none of ours, or of another list."""
    return Problem(400, "api.cursor_invalid", "A cursor is what an earlier page gave as next_cursor.")
