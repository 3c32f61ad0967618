"""Tell the log that this database was restored onto another server: its transaction ids mean nothing here."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sagas.log import next_era


class Command(BaseCommand):
    """Raise the era. Events of earlier eras count as settled, so no reader misses or repeats any."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="Why, for the record.")

    def handle(self, *_: Any, **options: Any) -> None:
        self.stdout.write(f"The log is in era {next_era(options['reason'])}.")
