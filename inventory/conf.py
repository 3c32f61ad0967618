"""What an installation may set about inventory."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

#: Longer than any order's way to its confirmation: the saga's own deadline gives goods back before this does.
DEFAULT_HOLD = timedelta(days=7)


def hold_for() -> timedelta:
    """How long goods are held for an order that is not confirmed (setting INVENTORY_HOLD)."""
    hold: timedelta = getattr(settings, "INVENTORY_HOLD", DEFAULT_HOLD)
    return hold
