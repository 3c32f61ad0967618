"""`manage.py deliver [--all]`: a carrier that can be told to delivers what it has."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, cast
from uuid import UUID

from django.core.management.base import CommandError

from shipping import commands
from shipping.carriers import get_carrier
from shipping.carriers.base import Deliverer
from shipping.management.moving import MovingCommand


class Command(MovingCommand):
    """Delivers parcels that were handed over, oldest first."""

    help = "Let the sandbox carrier deliver the parcels it has. Safe to repeat."
    done_word: ClassVar = "delivered"

    def batch(self, *, now: datetime, limit: int, after: UUID | None) -> commands.Moved:
        carrier = get_carrier()
        if not hasattr(carrier, "deliver"):
            raise CommandError("This carrier delivers by itself and tells us.")
        return commands.deliver_parcels(cast("Deliverer", carrier), now=now, limit=limit, after=after)
