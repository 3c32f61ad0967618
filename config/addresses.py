"""Addresses of the database and the broker, in the forms Django, redis-py and kombu want them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from config.env import BadEnvironment


def database_settings(url: str) -> dict[str, Any]:
    """Django's settings for a `postgresql://` URL. A unix socket folder comes as `?host=/folder`."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise BadEnvironment("DATABASE_URL", "must begin with postgresql:// (no other database is supported)")
    query = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise BadEnvironment("DATABASE_URL", "must name a database")
    try:
        port = parts.port
    except ValueError:
        raise BadEnvironment("DATABASE_URL", "has a port that is not a number") from None
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or query.pop("user", "")),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(port or query.pop("port", "")),
        "OPTIONS": query,
    }


def client_url(url: str) -> str:
    """The URL for redis-py: `redis://`, `rediss://` or `unix:///path?db=0`."""
    scheme = urlsplit(url).scheme
    if scheme == "redis+socket":
        return f"unix://{urlsplit(url).path}?db={_virtual_host(url)}"
    if scheme not in {"redis", "rediss", "unix"}:
        raise BadEnvironment("REDIS_URL", "must begin with redis://, rediss:// or unix://")
    return url


def broker_url(url: str) -> str:
    """The URL for kombu, which calls a unix socket `redis+socket://`."""
    if urlsplit(client_url(url)).scheme != "unix":
        return url
    return f"redis+socket://{urlsplit(url).path}?virtual_host={_virtual_host(url)}"


def _virtual_host(url: str) -> str:
    query = dict(parse_qsl(urlsplit(url).query))
    return query.get("virtual_host") or query.get("db") or "0"
