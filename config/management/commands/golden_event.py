"""`manage.py golden_event orders.OrderPlaced`: write the golden file of an event's present version, once."""

from __future__ import annotations

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.events import golden
from config.events.schemas import published


class Command(BaseCommand):
    help = (
        "Write the golden file of an event's present version: the data of the version before, brought up, with the"
        " given changes. Never overwrites. Write the catalogue after it: manage.py event_catalogue."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("event", help="its name, such as orders.OrderPlaced")
        parser.add_argument(
            "--set", default="{}", help="fields to change, as a JSON object; all of a new event"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        cls = published().get(options["event"])
        if cls is None:
            raise CommandError(f"No contract has an event {options['event']}.")
        try:
            file = golden.write(cls, json.loads(options["set"]))
        except (ValueError, TypeError, KeyError, FileExistsError) as error:
            raise CommandError(f"Nothing was written: {error!r}") from error
        self.stdout.write(f"{file.name} was written. It is frozen from now on.")
