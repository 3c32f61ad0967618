"""Whatever goes wrong in the API becomes one kind of answer: a problem document with a stable code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.signals import got_request_exception
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import set_rollback

from config.api import documents
from orders.commands import OrderNotFound, VersionMoved
from orders.refunding.rules import BadWish, NoSuchLine, RefundTooLarge
from orders.returns.refusals import ReturnInvalid, ReturnNotFound
from orders.totals import InvalidOrder
from sagas.quoting import words_of
from sagas.verdicts import ConcurrencyConflict, Refused, Unavailable
from sagas.web.problems import Problem
from sagas.webhooks.addresses import UrlRefused
from sagas.webhooks.commands import EndpointNotFound, UnknownEventType
from sagas.webhooks.replay import UnknownEvent

logger = structlog.get_logger(__name__)

MOST_ERRORS = 50
RETRY_SECONDS = 2

#: Refusals that are not conflicts.
STATUS_OF_REFUSAL: dict[type[Refused], int] = {
    InvalidOrder: 422, OrderNotFound: 404, BadWish: 422, NoSuchLine: 422,
    ReturnInvalid: 422, ReturnNotFound: 404,
    UrlRefused: 422, UnknownEvent: 422, UnknownEventType: 422, EndpointNotFound: 404,
}  # fmt: skip

#: The codes of what the framework raises, by status.
CODES = {
    400: "api.malformed_json",
    401: "api.unauthenticated",
    403: "api.forbidden",
    404: "api.not_found",
    405: "api.method_not_allowed",
    415: "api.media_type_unsupported",
}


#: What Django and the database raise: kinds, status, code, detail, seconds to wait.
OF_THE_SYSTEM: tuple[tuple[tuple[type[Exception], ...], int, str, str, int | None], ...] = (
    ((Http404,), 404, "api.not_found", "There is nothing here.", None),
    ((PermissionDenied,), 403, "api.forbidden", "", None),
    ((RequestDataTooBig,), 413, "api.body_too_large", "", None),
    ((UnreadablePostError,), 400, "api.malformed_json", "The body broke off.", None),
    ((ConcurrencyConflict,), 409, "concurrency_conflict", "Somebody else changed it at the same moment.", 1),
    ((OperationalError, InterfaceError), 503, "api.unavailable", "Nothing was done.", RETRY_SECONDS),
    ((DataError,), 422, "api.invalid", "A value is outside of what can be stored.", None),
)


def answer(error: Exception, context: Mapping[str, Any]) -> Response:
    """The problem document for an error. Bugs are reported, and answered with 500."""
    set_rollback()
    problem = as_problem(error)
    request = context["request"]
    if problem.status >= 500:
        _report(error, problem, request._request)
    headers = documents.headers(problem) | _headers_of(error)
    body = documents.document(problem, request)
    return Response(body, status=problem.status, headers=headers, content_type=documents.MEDIA_TYPE)


def as_problem(error: Exception) -> Problem:
    """What an error means to the client."""
    match error:
        case Problem():
            return error
        case exceptions.APIException():
            return _of_the_framework(error)
        case Refused():
            return _of_a_refusal(error)
        case Unavailable():
            seconds = _seconds_until(error.retry_at)
            return Problem(503, error.code, error.detail, retry_after_seconds=seconds)
    return _of_the_system(error)


def _of_a_refusal(refused: Refused) -> Problem:
    match refused:
        case VersionMoved():
            return Problem(412, refused.code, refused.detail, version=refused.version, state=refused.state)
        case RefundTooLarge():
            return Problem(409, refused.code, refused.detail, left_minor=refused.left_minor)
    return Problem(_status_of(refused), refused.code, refused.detail)


def _of_the_framework(error: exceptions.APIException) -> Problem:
    match error:
        case serializers.ValidationError():
            detail = "Something in the request is not as described."
            return Problem(422, "api.invalid", detail, errors=list(_flat(error.detail, ""))[:MOST_ERRORS])
        case exceptions.Throttled():
            detail, seconds = "More requests than this shop may send.", getattr(error, "wait", None) or 1
            return Problem(429, "api.rate_limited", detail, retry_after_seconds=ceil(seconds))
    return Problem(error.status_code, CODES.get(error.status_code, "api.bad_request"), str(error.detail))


def _of_the_system(error: Exception) -> Problem:
    for kinds, status, code, detail, seconds in OF_THE_SYSTEM:
        if isinstance(error, kinds):
            return Problem(status, code, detail, retry_after_seconds=seconds)
    return Problem(500, "api.unexpected", "This is our mistake, and it was reported.")


def _status_of(refused: Refused) -> int:
    return next((status for kind, status in STATUS_OF_REFUSAL.items() if isinstance(refused, kind)), 409)


def _seconds_until(moment: datetime | None) -> int:
    return RETRY_SECONDS if moment is None else max(1, ceil((moment - datetime.now(UTC)).total_seconds()))


def _headers_of(error: Exception) -> dict[str, str]:
    header = getattr(error, "auth_header", None)
    return {"WWW-Authenticate": header} if header else {}


def _report(error: Exception, problem: Problem, request: Any) -> None:
    if problem.status == 500:
        # Django's own signal, so that Sentry and the request log hear of it as of any unhandled error.
        got_request_exception.send(sender=None, request=request)
    else:
        logger.warning("api_unavailable", code=problem.code, error=words_of(error)[:500])


def _flat(detail: Any, pointer: str) -> Iterator[dict[str, str]]:
    """Errors as a list, each with the JSON pointer of what it is about."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _flat(
                inner, pointer if name in ("", "non_field_errors") else f"{pointer}/{_escaped(name)}"
            )
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _flat(inner, f"{pointer}/{index}" if isinstance(inner, Mapping | list) else pointer)
    else:
        yield {"pointer": pointer, "code": str(getattr(detail, "code", "invalid")), "detail": str(detail)}


def _escaped(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")
