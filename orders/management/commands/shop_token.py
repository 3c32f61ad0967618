"""Give a shop another API token, or revoke one: together they rotate without downtime."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders import commands, queries
from sagas.verdicts import Refused


class Command(BaseCommand):
    help = "Print a new API token for a shop, or revoke one by its prefix (wb_PREFIX_…)."

    def add_arguments(self, parser: CommandParser) -> None:
        act = parser.add_mutually_exclusive_group(required=True)
        act.add_argument("--new-for", metavar="SLUG")
        act.add_argument("--revoke", metavar="PREFIX")

    def handle(self, *_: Any, new_for: str | None, revoke: str | None, **__: Any) -> None:
        now = timezone.now()
        if new_for is not None:
            shop = queries.shop_by_slug(new_for)
            if shop is None:
                raise CommandError(f"There is no shop {new_for}.")
            self.stdout.write(commands.create_token(shop, name=f"{now:%Y-%m-%d}", now=now))
        if revoke is not None:
            try:
                commands.revoke_token(revoke, now=now)
            except Refused as refused:
                raise CommandError(str(refused)) from refused
            self.stdout.write(f"Token wb_{revoke}_… is revoked.")
