"""Secrets and signatures, as Standard Webhooks has them.

A secret is not stored. It is derived from a key of the installation (WAYBILL_WEBHOOK_KEYS, or the secret key), the
endpoint's id and a number: who reads the database alone can sign nothing. A row names the key its secret was derived
from, so that a new key can come to the front of the list while secrets of the old one go on.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.utils.encoding import force_bytes

PREFIX = "whsec_"
PURPOSE = "waybill outgoing webhooks"


class NoKey(Exception):
    """The key a secret was derived from is not among those of the installation."""


@dataclass(frozen=True)
class Secret:
    """Which secret: never what it is."""

    endpoint_id: UUID
    number: int
    key: str

    def raw(self) -> bytes:
        """Its 32 bytes. Raises NoKey."""
        master = _keys().get(self.key)
        if master is None:
            raise NoKey(self.key)
        return hmac.digest(master, f"{PURPOSE}|{self.endpoint_id}|{self.number}".encode(), hashlib.sha256)

    def text(self) -> str:
        """As it is shown to the shop, once."""
        return PREFIX + base64.b64encode(self.raw()).decode()


def newest_key() -> str:
    """The name of the key that new secrets are derived from."""
    return next(iter(_keys()))


def _keys() -> Mapping[str, bytes]:
    texts: Sequence[str | bytes] = settings.WAYBILL.webhook_keys or [
        settings.SECRET_KEY,
        *settings.SECRET_KEY_FALLBACKS,
    ]
    masters = [hmac.digest(force_bytes(text), PURPOSE.encode(), hashlib.sha256) for text in texts]
    return {hashlib.sha256(master).hexdigest()[:16]: master for master in masters}


def signed_headers(
    delivery_id: UUID, body: bytes, secrets: Iterable[Secret], *, at: datetime
) -> dict[str, str]:
    """The three headers: during a rotation one signature by each secret. Raises NoKey."""
    seconds = str(int(at.timestamp()))
    content = f"{delivery_id}.{seconds}.".encode() + body
    signatures = [f"v1,{_signature(secret.raw(), content)}" for secret in secrets]
    return {
        "webhook-id": str(delivery_id),
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
