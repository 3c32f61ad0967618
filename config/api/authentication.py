"""A shop's token in `Authorization: Bearer ...` says who asks. Only its hash is stored."""

from __future__ import annotations

import structlog
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from orders.queries import authenticate_token
from sagas.web.caller import Caller

SCHEME = "Bearer"


class ShopToken(BaseAuthentication):
    """Authenticates by a shop's token. Unknown, altered and revoked tokens look the same."""

    def authenticate(self, request: Request) -> tuple[Caller, Caller] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        shop = authenticate_token(token.strip()) if scheme.lower() == SCHEME.lower() else None
        if shop is None:
            raise AuthenticationFailed("The token is not valid.")
        structlog.contextvars.bind_contextvars(shop_id=str(shop.pk))
        caller = Caller(shop.pk, shop.slug)
        return caller, caller

    def authenticate_header(self, request: Request) -> str:
        del request
        return SCHEME
