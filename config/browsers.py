"""What only pages need. A client of the API is no browser: it has no session, no user of ours and no flash messages."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponseBase

API = "/api/v1/"


class PagesOnly:
    """Steps aside for requests to the API."""

    get_response: Callable[[HttpRequest], HttpResponseBase]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(API):
            return self.get_response(request)
        answer: HttpResponseBase = super().__call__(request)  # type: ignore[misc]  # of the middleware it is mixed into
        return answer


class Sessions(PagesOnly, sessions.SessionMiddleware):
    """Who has logged in."""


class Users(PagesOnly, auth.AuthenticationMiddleware):
    """Which of the staff it is."""


class Messages(PagesOnly, messages.MessageMiddleware):
    """What an act tells on the next page."""
