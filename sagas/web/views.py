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
