"""The base of every view of the API: who asks, when, and under which correlation id."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from sagas.clock import database_now
from sagas.web.caller import Caller, caller_of


class OneFormat(DefaultContentNegotiation):
    """Each view answers in one format, whatever is asked for: a wrong Accept header is no reason to fail."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        del request, format_suffix
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """A view for authenticated shops. Each method makes one command or query call and translates."""

    content_negotiation_class = OneFormat
    #: Whether the description asks for an Idempotency-Key: set where `once` is used.
    idempotent = False
    #: What a shop's requests are counted as, each kind by itself and `weight` at a time.
    counted = "requests"

    def weight(self, request: Request) -> int:
        """As how many a request counts. May read its body: who asks is known by then."""
        del request
        return 1

    @property
    def caller(self) -> Caller:
        """Who asks. Only behind authentication."""
        return caller_of(self.request)

    @property
    def shop_id(self) -> UUID:
        """The one shop whose things may be seen or changed."""
        return self.caller.shop_id

    @property
    def correlation_id(self) -> str:
        """The id that follows this request into events, tasks and calls to providers."""
        return str(getattr(self.request, "correlation_id", ""))

    def now(self) -> datetime:
        """The one clock's time."""
        return database_now()

    def explain(self, error: Exception) -> dict[str, Any]:
        """The problem document of an error that is the answer to a part of a request only."""
        told = self.get_exception_handler()(error, self.get_exception_handler_context())
        if told is None:
            raise error
        document: dict[str, Any] = told.data
        return document
