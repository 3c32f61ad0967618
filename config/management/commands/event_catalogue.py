"""`manage.py event_catalogue`: write docs/events from the contracts. `--check` only compares; exit 1 on drift."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.events.catalogue import Catalogue


class Command(BaseCommand):
    help = (
        "Write the catalogue of events in docs/events from the contracts. Refuses when a published version would"
        " change, cannot be read any more, or has no golden file. Exit 1 then, and with --check on any drift."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only compare, and show the difference")

    def handle(self, *_: Any, **options: Any) -> None:
        catalogue = Catalogue()
        if breaches := catalogue.breaches():
            raise CommandError("\n".join(breaches))
        if options["check"]:
            self._compare(catalogue)
            return
        for name in catalogue.write():
            self.stdout.write(f"docs/events/{name} was written.")
        self.stdout.write("docs/events is up to date.")

    def _compare(self, catalogue: Catalogue) -> None:
        if drift := catalogue.drift():
            self.stdout.write(drift, ending="")
            raise CommandError("docs/events is not what the code does: manage.py event_catalogue")
        self.stdout.write("docs/events is up to date.")
