"""What the `keep` process does for credit notes."""

from __future__ import annotations

from datetime import datetime

from orders.giving_back import commands
from sagas.loops import keeper


@keeper("orders.apply_credit_notes", every=1.0)
def apply_credit_notes(*, now: datetime) -> int:
    """Start giving back whatever its order allows now."""
    return commands.apply_credit_notes(now=now)
