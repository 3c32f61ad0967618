"""`manage.py pick_up [--all]`: the carrier takes the parcels that may leave."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shipping import commands
from shipping.carriers import get_carrier
from shipping.management.moving import MovingCommand


class Command(MovingCommand):
    """Hands over parcels of confirmed orders, oldest first."""

    help = "Let the carrier take parcels of confirmed orders. Safe to repeat."
    done_word: ClassVar = "handed over"

    def batch(self, *, now: datetime, limit: int, after: UUID | None) -> commands.Moved:
        return commands.pick_up(get_carrier(), now=now, limit=limit, after=after)
