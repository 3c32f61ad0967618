"""Make a shop; its API token is printed this once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from orders import commands
from sagas.verdicts import Refused


class Command(BaseCommand):
    help = "Make a shop and print its API token. The token is shown this once: only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--slug", default="", help="its short name; made from the name if not given")

    def handle(self, *_: Any, name: str, slug: str, **__: Any) -> None:
        try:
            shop, token = commands.create_shop(name, slug=slug, now=timezone.now())
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        self.stderr.write(f"Shop {shop.slug} ({shop.pk}) is made. Keep its token; it is not shown again:")
        self.stdout.write(token)
