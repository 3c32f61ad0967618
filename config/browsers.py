"""What only pages need. A client of the API or a provider is no browser: it has no session, no user of ours and no
flash messages.
"""

from __future__ import annotations

from collections.abc import Awaitable

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

#: Addresses of machines.
MACHINES = ("/api/v1/", "/webhooks/")


class PagesOnly(MiddlewareMixin):
    """Steps aside for requests of machines."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        machine = request.path_info.startswith(MACHINES)
        return self.get_response(request) if machine else super().__call__(request)


class Sessions(PagesOnly, SessionMiddleware):
    """Who has logged in."""


class Users(PagesOnly, AuthenticationMiddleware):
    """Which of the staff it is."""


class Messages(PagesOnly, MessageMiddleware):
    """What an act tells on the next page."""
