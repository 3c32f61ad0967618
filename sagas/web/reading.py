"""Reading one's own write over HTTP: a write says where in the feed it stands, a read may ask not to be older."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from sagas.log import Token
from sagas.reading import read
from sagas.sight import Behind, Sight, sight, sight_not_before
from sagas.web.fields import QuerySerializer
from sagas.web.problems import Problem

T = TypeVar("T")

POSITION = "Waybill-Position"
POSITION_HEADER = OpenApiParameter(
    POSITION,
    str,
    OpenApiParameter.HEADER,
    response=True,
    description="Opaque. After a write: its place in the feed. After a read: everything up to there is in it."
    " Hand it to `after`.",
)
RETRY_SECONDS = 1


class ReadQuery(QuerySerializer):
    """What every read of a read side understands."""

    after = serializers.CharField(
        default="",
        allow_blank=True,
        trim_whitespace=False,
        help_text="A `Waybill-Position`: the answer holds everything up to there, or is 503 after a moment.",
    )


def look(projection: str, after: str, query: Callable[[Sight], T]) -> tuple[Sight, T]:
    """What a projection says to `query`, not older than the token `after` ("" for whatever there is).

    The replica is asked if there is one that has come so far, else the primary. Raises Problem: 400
    `api.bad_token`, 503 `api.read_side_behind`.
    """
    token = _token(after) if after else None

    def asked(alias: str) -> tuple[Sight, T]:
        if token is None or alias != DEFAULT_DB_ALIAS:
            seen = sight(projection, using=alias)
        else:
            seen = _not_before(projection, token)
        return seen, query(seen)

    return read(asked, after=(projection, token) if token else None)


def _token(after: str) -> Token:
    try:
        return Token.parse(after)
    except ValueError:
        raise Problem(400, "api.bad_token", "A token is what an answer gave as Waybill-Position.") from None


def _not_before(projection: str, token: Token) -> Sight:
    try:
        return sight_not_before(projection, token, seconds=settings.WAYBILL.read_wait_seconds)
    except Behind:
        detail = "What you ask to see has not arrived on the read side yet."
        raise Problem(503, "api.read_side_behind", detail, retry_after_seconds=RETRY_SECONDS) from None


def as_of(seen: Sight, response: Any) -> Response:
    """Say what a read is as of."""
    response[POSITION] = str(seen.token)
    answer: Response = response
    return answer
