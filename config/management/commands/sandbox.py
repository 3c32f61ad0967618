"""`manage.py sandbox`: the payment gateway and the carrier, as one separate process."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.sandbox.cli import add_arguments, run
from config.sandbox.profiles import BadRule


class Command(BaseCommand):
    """Serves until stopped. Needs no database of ours."""

    help = "Run the sandbox payment gateway and carrier over HTTP."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            run(options)
        except (BadRule, OSError, sqlite3.Error) as error:
            raise CommandError(str(error)) from error
