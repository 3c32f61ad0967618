"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request


@dataclass(frozen=True)
class Caller:
    """The shop behind a request's token. Everything it sees and does is that shop's."""

    shop_id: UUID
    name: str
    is_authenticated: bool = True

    @property
    def actor(self) -> str:
        """How it appears in stories and audit rows."""
        return f"shop:{self.name}"


def caller_of(request: Request) -> Caller:
    """Who sent it. Raises NotAuthenticated if nobody has said."""
    found = request.auth
    if not isinstance(found, Caller):
        raise NotAuthenticated
    return found
