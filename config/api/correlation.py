"""One id that follows a request through every task, log line and provider call."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from sagas.ids import uuid7

HEADER = "X-Correlation-Id"
#: In the order they are believed.
BROUGHT = ("HTTP_X_CORRELATION_ID", "HTTP_X_REQUEST_ID")
#: What may go into logs, rows and headers as it is. Anything else counts as not brought.
WELL_FORMED = re.compile(r"[A-Za-z0-9._:/+=@-]{1,100}")


class CorrelationMiddleware:
    """Takes the id the caller brought, if it is well-formed, or makes one; names it in every answer.

    Must come first: what follows reads the cleaned headers.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        correlation_id = correlate(request)
        response = self.get_response(request)
        response[HEADER] = correlation_id
        return response


def correlate(request: HttpRequest) -> str:
    """Settle the request's id: on the request as `correlation_id`, and in its headers."""
    brought = [request.META[name] for name in BROUGHT if WELL_FORMED.fullmatch(request.META.get(name, ""))]
    if not WELL_FORMED.fullmatch(request.META.get("HTTP_X_REQUEST_ID", "")):
        request.META.pop("HTTP_X_REQUEST_ID", None)
    correlation_id: str = brought[0] if brought else str(uuid7())
    request.META["HTTP_X_CORRELATION_ID"] = correlation_id
    request.correlation_id = correlation_id  # type: ignore[attr-defined]
    return correlation_id
