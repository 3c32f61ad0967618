"""Who sent it: signatures over the raw body, checked before anything in it is believed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

#: How far the sender's clock and ours may be apart, either way.
TOLERANCE = timedelta(minutes=5)
#: A header holds a signature for each active secret; more are no rotation but an attempt.
MOST_SIGNATURES = 10


class BadSignature(Exception):
    """It was not proven who sent this. `code` is a stable word for logs and metrics; it never holds the message."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Verifier(Protocol):
    """Proves that a body comes from its source."""

    def verify(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> None:
        """Return if it does. Raises BadSignature."""
        ...


@dataclass(frozen=True)
class TimedHmac:
    """`t=1700000000,v1=hex,v1=hex`: HMAC-SHA256 over the time, a dot and the raw body, as Stripe signs.

    Any of the active secrets may have made any of the signatures, so both sides can rotate without a gap. The time
    is signed too, so an old message cannot be sent again.
    """

    secrets: Sequence[str]
    header: str
    tolerance: timedelta = TOLERANCE

    def verify(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> None:
        """See `Verifier`. Every secret is compared with every signature, in the same time whatever they are."""
        if not self.secrets:
            raise BadSignature("no_secret")
        stamp, signatures = parsed(headers.get(self.header, ""))
        if abs(now.timestamp() - int(stamp)) > self.tolerance.total_seconds():
            raise BadSignature("out_of_time")
        expected = [signature(secret, stamp, body) for secret in self.secrets]
        matches = [hmac.compare_digest(mine, theirs) for mine in expected for theirs in signatures]
        if not any(matches):
            raise BadSignature("wrong_signature")


def signature(secret: str, stamp: str, body: bytes) -> bytes:
    """The signature of a body at a time, in hexadecimal digits."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest().encode()


def parsed(header: str) -> tuple[str, list[bytes]]:
    """The time and the v1 signatures of a header; schemes we do not know are left out. Raises BadSignature."""
    if not header:
        raise BadSignature("no_signature")
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    signatures = [value.encode("utf-8", "surrogateescape") for name, _, value in pairs if name == "v1"]
    if len(stamps) != 1 or not (stamps[0].isascii() and stamps[0].isdecimal() and len(stamps[0]) <= 12):
        raise BadSignature("unreadable_signature")
    if not 1 <= len(signatures) <= MOST_SIGNATURES:
        raise BadSignature("unreadable_signature")
    return stamps[0], signatures
