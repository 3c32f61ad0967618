"""What inventory looks after by itself: holds that run out, and confirmed orders short of their goods."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from inventory import commands
from sagas.loops import keeper


@keeper("inventory.expire_holds", every=5.0)
def expire_holds(*, now: datetime) -> int:
    """Let go of holds that ran out."""
    with transaction.atomic():
        return commands.expire_holds(now=now)


@keeper("inventory.fill_shorts", every=15.0)
def fill_shorts(*, now: datetime) -> int:
    """Give confirmed orders that lost their goods what has come in."""
    with transaction.atomic():
        return commands.fill_shorts(now=now)
