"""Shops and their API tokens."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from orders import tokens
from orders.models import ApiToken, Shop
from sagas.verdicts import Refused


class ShopExists(Refused):
    """Another shop has this slug."""

    code = "orders.shop_exists"


class TokenNotFound(Refused):
    """No token has this prefix."""

    code = "orders.token_not_found"


class ShopInvalid(Refused):
    """A shop needs a name that can be written in a URL."""

    code = "orders.shop_invalid"


def create_shop(name: str, *, now: datetime, slug: str = "") -> tuple[Shop, str]:
    """Make a shop and its first API token. The token is returned this once; only its hash is kept.

    Raises ShopExists or ShopInvalid.
    """
    slug = slug or slugify(name)[:50]
    if not slug or slug != slugify(slug)[:50] or len(name) > 200:
        raise ShopInvalid(detail=f"{name!r} with slug {slug!r}")
    try:
        with transaction.atomic():
            shop = Shop.objects.create(name=name, slug=slug, made_at=now)
            return shop, create_token(shop, name="first", now=now)
    except IntegrityError as error:
        raise ShopExists(detail=slug) from error


def create_token(shop: Shop, *, name: str, now: datetime) -> str:
    """Another token for a shop, returned this once. The old ones stay good until they are revoked."""
    token = tokens.new_token()
    ApiToken.objects.create(shop=shop, prefix=token.prefix, digest=token.digest, name=name, made_at=now)
    return token.text


def revoke_token(prefix: str, *, now: datetime) -> None:
    """Refuse a token from now on. Safe to repeat. Raises TokenNotFound."""
    if not ApiToken.objects.filter(prefix=prefix).exists():
        raise TokenNotFound(detail=prefix)
    ApiToken.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=now)
