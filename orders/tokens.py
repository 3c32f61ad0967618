"""API tokens: high entropy, found by a public prefix, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

BRAND = "wb"
PREFIX_BYTES = 6
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart. `text` is what the shop keeps; prefix and digest are what is stored."""

    text: str
    prefix: str
    digest: str


def new_token() -> Token:
    """A token nobody has seen: 256 random bits, so that one round of SHA-256 is enough to keep it."""
    text = f"{BRAND}_{secrets.token_hex(PREFIX_BYTES)}_{secrets.token_urlsafe(SECRET_BYTES)}"
    return _taken_apart(text)


def parse(text: str) -> Token | None:
    """Take a token apart, or None if it is not of our making."""
    brand, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    well_formed = brand == BRAND and len(prefix) == 2 * PREFIX_BYTES and secret and text.isascii()
    return _taken_apart(text) if well_formed else None


def matches(token: Token, digest: str) -> bool:
    """Whether the stored digest is this token's. Takes the same time for every answer."""
    return hmac.compare_digest(token.digest, digest)


def _taken_apart(text: str) -> Token:
    return Token(text, text.split("_")[1], hashlib.sha256(text.encode()).hexdigest())
