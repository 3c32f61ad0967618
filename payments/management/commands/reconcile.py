"""`manage.py reconcile`: do our payments, the provider's record and the ledger agree?"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError
from django.db.models import Count

from payments import gateways, queries
from payments.reconciliation.alone import AlreadyRunning, alone
from payments.reconciliation.ours import Bounds
from payments.reconciliation.report import ReportRefused, write_report
from payments.reconciliation.rows import Case, ReconciliationRun
from payments.reconciliation.run import ProviderSilent, Reconciler, open_run
from payments.reconciliation.settlement import ImportedFile, import_settlement
from payments.reconciliation.settlement_format import BadSettlement
from payments.reconciliation.tally import total_lines
from sagas.clock import database_now
from sagas.display import span
from sagas.money import money

PROGRESS_SECONDS = 5
DIFFERENCES, TROUBLE = 1, 2


class Command(BaseCommand):
    help = (
        "Compare our payments and refunds with the provider's lists, line by line, and prove the trial balance. One"
        " open case for every difference. Run again after a kill it goes on where it was; run again when done it"
        " makes no new cases. Exit 0: no case is open; 1: some are; 2: trouble, say the provider is silent."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", type=date.fromisoformat, metavar="DATE", help="one day, in UTC")
        parser.add_argument(
            "--from", dest="since", type=date.fromisoformat, metavar="DATE", help="from this day"
        )
        parser.add_argument(
            "--to", dest="until", type=date.fromisoformat, metavar="DATE", help="to this day's end"
        )
        parser.add_argument(
            "--settlement", type=Path, metavar="FILE", help="take in a settlement report instead"
        )
        parser.add_argument("--report", type=Path, metavar="DIR", help="write the report's CSV files there")
        parser.add_argument("--grace", type=_minutes, default=timedelta(minutes=15), metavar="MINUTES",
                            help="what moved since then is in flight (15)")  # fmt: skip
        parser.add_argument("--afresh", action="store_true", help="do not go on with an unfinished run")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            with alone():
                found = self._run(options)
        except AlreadyRunning:
            raise _trouble("Another reconciliation is running.") from None
        except BadSettlement as bad:
            raise _trouble("\n".join([*bad.errors, "Nothing was stored."])) from None
        except ReportRefused as refused:
            raise _trouble(f"The report cannot be written: {refused}") from None
        except (OperationalError, InterfaceError) as error:
            raise _trouble(f"The database failed: {error}. Run the same again to go on.") from error
        if found:
            sys.exit(DIFFERENCES)

    def _run(self, options: dict[str, Any]) -> bool:
        """Whether a case is open at the end."""
        run = None
        if options["settlement"]:
            self._settle(options["settlement"])
        else:
            run = self._compare(options)
        balance = self._trial_balance()
        if options["report"]:
            for path in write_report(options["report"], run, balance):
                self.stdout.write(f"wrote {path}")
        return self._open_cases()

    def _compare(self, options: dict[str, Any]) -> ReconciliationRun:
        bounds = _bounds(options)
        run = open_run(bounds, now=database_now(), afresh=options["afresh"])
        if run.compared:
            self.stderr.write(f"Going on with the run of {run.started_at:%Y-%m-%d %H:%M}, in {run.phase}.")
        leading = Reconciler(run, gateways.get_gateway(), clock=database_now, grace=options["grace"])
        try:
            self._lead(leading)
        except ProviderSilent as silent:
            where = f"in {run.phase}, after {run.compared:,} objects"
            raise _trouble(
                f"The provider could not be asked: {silent}. Stopped {where}; run it again."
            ) from None
        self._tell(run)
        return run

    def _lead(self, leading: Reconciler) -> None:
        told = time.monotonic()
        while not leading.finished:
            leading.step()
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                run = leading.run
                self.stderr.write(f"{run.phase}: {run.compared:,} compared, {run.differences:,} differ")

    def _tell(self, run: ReconciliationRun) -> None:
        self.stdout.write(f"Reconciliation of {run.scope}: {run.compared:,} objects in {span(run.took)}")
        self.stdout.write(
            f"  matched {run.matched:,}, in flight {run.in_flight:,}, without money {run.idle:,},"
            f" differences {run.differences:,}"
        )
        for currency, what, ours, theirs in total_lines(run):
            mark = "" if ours == theirs else f"  apart by {money(theirs - ours, currency)}"
            self.stdout.write(
                f"  {what:<9} ours {money(ours, currency)}, theirs {money(theirs, currency)}{mark}"
            )

    def _settle(self, path: Path) -> None:
        done: ImportedFile = import_settlement(path, now=database_now())
        if done.known:
            self.stdout.write(f"{path.name} was taken in before: nothing changes.")
        else:
            self.stdout.write(f"{path.name}: {done.lines:,} lines taken in, {done.booked:,} booked")

    def _trial_balance(self) -> Mapping[tuple[str, str], int]:
        """Prove that everything booked sums to zero. Raises, naming entries that do not."""
        wrong = queries.unbalanced_entries()
        if wrong:
            named = [
                f"entry {w.entry_id} ({w.kind}): {w.off_minor} {w.currency or 'no lines'}" for w in wrong
            ]
            raise _trouble("\n".join(["The ledger does not balance:", *named]))
        balance = queries.trial_balance()
        self.stdout.write("Trial balance")
        for (account, currency), amount in sorted(balance.items()):
            self.stdout.write(f"  {account:<18}{money(amount, currency):>20}")
        self.stdout.write("  sums to zero in every currency")
        return balance

    def _open_cases(self) -> bool:
        found = Case.objects.filter(state=Case.State.OPEN).values_list("kind").annotate(Count("id"))
        kinds = list(found.order_by("kind"))
        for kind, count in kinds:
            self.stdout.write(f"  {count:,} open: {kind}")
        verdict = "Differences are open: see Money on the staff page." if kinds else "No difference is open."
        self.stdout.write(verdict)
        return bool(kinds)


def _bounds(options: dict[str, Any]) -> Bounds:
    day, since, until = options["day"], options["since"], options["until"]
    if day and (since or until):
        raise _trouble("Say --day, or --from and --to.")
    if since and until and until < since:
        raise _trouble("--to lies before --from.")
    first, last = day or since, day or until
    return Bounds(
        since=_midnight(first) if first else None, until=_midnight(last) + timedelta(days=1) if last else None
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _minutes(text: str) -> timedelta:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return timedelta(minutes=number)


def _trouble(words: str) -> CommandError:
    return CommandError(words, returncode=TROUBLE)
