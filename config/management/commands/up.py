"""`manage.py up`: the whole system in the foreground."""

from __future__ import annotations

import argparse
import os
import secrets
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.embedded.programs import NotInstalled, ServiceFailed
from config.embedded.stack import WEB_PORT, CommandFailed, Stack
from config.embedded.state import State, StateBusy, StateUnusable


class Command(BaseCommand):
    help = (
        "Run Waybill in the foreground: database, broker, sandbox, workers, loops and web. Ctrl-C stops it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("WAYBILL_PORT", WEB_PORT)))
        parser.add_argument("--workers", type=int, default=1, help="Celery workers, two processes each")

    def handle(self, *_args: Any, **options: Any) -> None:
        stack = Stack(
            State.current(),
            web=True,
            web_port=options["port"],
            webhooks=True,
            workers=options["workers"],
            say=self.stdout.write,
        )
        try:
            with stack:
                self._run(stack)
        except (KeyboardInterrupt, SystemExit):
            self.stdout.write("\nStopped.")
        except (StateBusy, StateUnusable, NotInstalled, ServiceFailed, CommandFailed) as error:
            raise CommandError(str(error)) from error

    def _run(self, stack: Stack) -> None:
        self.stdout.write(f"Starting on {stack.state.root}")
        stack.migrate()
        stack.start_platform()
        password = secrets.token_urlsafe(12)
        stack.manage("staff_login", env={"WAYBILL_STAFF_PASSWORD": password})
        self._greet(stack, password)
        while True:
            time.sleep(3600)

    def _greet(self, stack: Stack, password: str) -> None:
        self.stdout.write(
            f"\nWaybill is running.\n"
            f"  Staff      {stack.web_url}/staff/\n"
            f"  Admin      {stack.web_url}/admin/\n"
            f"  API        {stack.web_url}/api/docs/\n"
            f"  Metrics    {stack.web_url}/metrics\n"
            f"  Login      staff / {password}   (new at every start)\n"
            f"  Logs       {stack.state.logs}\n"
            f"Ctrl-C stops everything.\n"
        )
