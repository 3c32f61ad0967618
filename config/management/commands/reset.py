"""`manage.py reset`: stop it and delete its data."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from config.embedded.ending import end_run
from config.embedded.state import State


class Command(BaseCommand):
    help = "Stop what runs on this state folder and delete its data. A DATABASE_URL's data is not touched."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        state = State.current()
        end_run(state)
        with state.locked("make reset"):
            state.remove()
        self.stdout.write(f"{state.root} is empty.")
