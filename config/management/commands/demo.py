"""`manage.py demo`: real orders through payment, inventory and shipping, with the failures given back."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from config.demo.figures import figures
from config.demo.run import Course, Stalled
from config.demo.show import Show
from config.embedded.programs import NotInstalled, ServiceFailed
from config.embedded.stack import CommandFailed, Stack
from config.embedded.state import State, StateBusy, StateUnusable
from config.waybill import STYLES


class Command(BaseCommand):
    help = (
        "Import the sample's orders and take each through its saga, with real workers and a sandbox gateway and"
        " carrier that fail by seed. Ends by itself; exit 0 only if every saga is final, or parked for a cause"
        " that the table names, and the audit finds nothing. Killed and run again, it finishes the job."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--seed", default="1", help="decides which orders meet which trouble")
        parser.add_argument("--style", default=STYLES[0], choices=STYLES)
        parser.add_argument("--fresh", action="store_true", help="start over")
        parser.add_argument("--workers", type=int, default=1, help="Celery workers, two processes each")

    def handle(self, *_: Any, **options: Any) -> None:
        show = Show(Console(width=None if sys.stdout.isatty() else 120))
        state = State.current()
        if settings.WAYBILL.stripe and settings.WAYBILL.stripe.live:
            raise CommandError("STRIPE_API_KEY is a live key: the demonstration takes money from nobody.")
        if options["fresh"]:
            call_command("reset", stdout=self.stdout)
        try:
            passed = self._run(state, show, options)
        except (StateBusy, StateUnusable, NotInstalled, ServiceFailed, CommandFailed, Stalled) as error:
            show.still()
            raise CommandError(str(error)) from error
        except (KeyboardInterrupt, SystemExit) as stop:
            show.still()
            self.stdout.write("\nStopped. Run it again and it goes on where it was.")
            sys.exit(stop.code if isinstance(stop, SystemExit) else 130)
        if not passed:
            sys.exit(1)

    def _run(self, state: State, show: Show, options: dict[str, Any]) -> bool:
        began = time.monotonic()
        wanted = {"seed": options["seed"], "style": options["style"]}
        stack = Stack(
            state,
            workers=options["workers"],
            purpose="make demo",
            say=show.say,
            sandbox_arguments=("--profile", "demo", "--seed", options["seed"]),
        )
        with stack:
            call_command("migrate", interactive=False, verbosity=0)
            noted = state.noted().get("demo") or {"wanted": wanted}
            if noted["wanted"] != wanted:
                raise CommandError(
                    f"This state holds a demo with {noted['wanted']}. Start over with FRESH=1."
                )
            state.note(demo=noted)
            if not noted.get("done"):
                stack.start_platform()
                Course(stack, show, wanted["seed"], wanted["style"]).run()
                state.note(demo=noted | {"done": True})
            else:
                stack.start_sandbox()
            passed = self._finish(stack, show)
        show.say(f"This run took {time.monotonic() - began:.0f} s in all.")
        return passed

    def _finish(self, stack: Stack, show: Show) -> bool:
        found = figures()
        show.tables(found)
        orders = sum(row[1] for row in found.orders)
        seconds = max(found.fulfilled_in, 0.001)
        show.say(f"{orders:,} orders fulfilled in {seconds:.1f} s: {orders / seconds:,.0f} orders/s.")
        show.say(f"End states, order by order: {found.fingerprint}")
        open_sagas = sum(
            row[3] for row in found.sagas if row[1] not in ("completed", "compensated") and not row[2]
        )
        if open_sagas:
            show.say(f"{open_sagas} sagas are neither final nor parked.")
        return _audit(stack) and not open_sagas


def _audit(stack: Stack) -> bool:
    """Run the audit and show its verdict."""
    try:
        call_command("audit", url=stack.env["WAYBILL_SANDBOX_URL"])
    except SystemExit:
        return False
    return True
