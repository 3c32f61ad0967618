"""`manage.py down`: stop what runs on this state folder, also what a killed run left behind."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from config.embedded.ending import end_run
from config.embedded.state import State


class Command(BaseCommand):
    help = "Stop what runs on this state folder."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        state = State.current()
        stopped = end_run(state)
        self.stdout.write(
            f"Stopped: {', '.join(stopped)}." if stopped else f"Nothing was running on {state.root}."
        )
