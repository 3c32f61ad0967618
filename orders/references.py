"""What the sagas of an order are called: readable, the same in every run, and never one name for two things."""

from __future__ import annotations

from hashlib import blake2s

#: So much of the names stands in a reference, which holds 200.
MOST_NAMED = 180


def saga_reference(kind: str, order: str, name: str) -> str:
    """`{order}/{name}-{mark}`: the mark tells apart what reads alike.

    Shops call orders and notes as they like: a note `cancel-5` beside a cancellation at version 5, `B/C` of order A
    beside `C` of order A/B. A reference is one key at the provider, so two of them would be one refund. Names that are
    too long are cut, and their mark is that of the whole.
    """
    mark = blake2s(f"{kind}\0{order}\0{name}".encode(), digest_size=4).hexdigest()
    return f"{f'{order}/{name}'[:MOST_NAMED]}-{mark}"
