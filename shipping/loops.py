"""What shipping looks after by itself."""

from __future__ import annotations

from datetime import datetime

from sagas.loops import keeper
from shipping import commands
from shipping.carriers import get_carrier


@keeper("shipping.ask_after_parcels", every=30.0)
def ask_after_parcels(*, now: datetime) -> int:
    """Ask about parcels of which nothing was heard for long."""
    return commands.ask_after_parcels(get_carrier(), now=now)


@keeper("shipping.void_surplus_labels", every=10.0)
def void_surplus_labels(*, now: datetime) -> int:
    """Give back labels too many."""
    return commands.void_surplus_labels(get_carrier(), now=now)
