"""`manage.py state_machines`: is docs/state_machines.md what the code does? `--write` makes it so."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import state_machines


class Command(BaseCommand):
    help = "Compare the drawings in docs/state_machines.md with the tables of moves. Exit 1 if they differ."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--check", action="store_true", help="only compare (the default)")
        act.add_argument("--write", action="store_true", help="draw them anew")

    def handle(self, *_: Any, **options: Any) -> None:
        page = state_machines.PAGE
        if options["write"]:
            changed = state_machines.write(page)
            self.stdout.write(f"{page.name} {'was drawn anew' if changed else 'is up to date'}.")
            return
        text = page.read_text(encoding="utf-8")
        if state_machines.woven(text) != text:
            raise CommandError(f"{page.name} is not what the code does: manage.py state_machines --write")
        if left_out := state_machines.missing(text):
            raise CommandError(f"{page.name} leaves out {', '.join(left_out)}.")
        self.stdout.write(f"{page.name} is up to date.")
