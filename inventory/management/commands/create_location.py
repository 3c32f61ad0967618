"""`manage.py create_location SHOP_ID CODE`: one more place where a shop's goods lie."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand

from inventory import commands


class Command(BaseCommand):
    """Makes a location, or gives one that exists its priority."""

    help = "Make a location of a shop. Orders are served from the lowest priority that has everything."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("shop_id", type=UUID)
        parser.add_argument("code")
        parser.add_argument("--priority", type=int, default=0)

    def handle(self, *, shop_id: UUID, code: str, priority: int, **_: Any) -> None:
        commands.set_location(shop_id, code, priority=priority, now=datetime.now(UTC))
        self.stdout.write(f"Location {code} has priority {priority}.")
