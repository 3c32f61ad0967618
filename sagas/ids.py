"""Identities: UUIDv7 for objects, UUIDv5 for what must be derivable again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7 as _uuid7

#: Fixed for ever: changing it would change every idempotency key a provider has seen.
KEY_NAMESPACE = UUID("3f1f9a5c-7f5e-5b64-9a3e-6d1c2b7f0a41")


_NAMESPACE = uuid_utils.UUID(KEY_NAMESPACE.hex)


def uuid7() -> UUID:
    """A new identity that sorts by the moment it was made. Made here, not in SQL: PostgreSQL has it from 18 only."""
    return _uuid7()


def operation_key(shop_id: UUID, reference: str, operation: str, intent: int = 1) -> UUID:
    """The idempotency key of one outside act.

    The same shop, reference, operation and intent number give the same key on every machine and after every
    restore, so that a repeat is recognised by the provider. Only a proven "not done" raises `intent`.
    """
    return UUID(int=uuid_utils.uuid5(_NAMESPACE, f"{shop_id}|{reference}|{operation}|{intent}").int)


def first_id_at(moment: datetime) -> UUID:
    """The lowest identity that could be made at this moment: what was made before sorts below it."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
