"""`manage.py rebuild_projection NAME`: fold the log anew beside live traffic, compare, swap."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from sagas.projections import Projection, get_projection, projections
from sagas.rebuild.display import shown
from sagas.rebuild.run import BATCH, Outcome, rebuild
from sagas.verdicts import Refused


class Command(BaseCommand):
    help = (
        "Build a projection anew in its spare slot beside live traffic, say what differs from the live one, and"
        " swap. It may be killed: run again, it goes on where it was. With --check nothing is swapped, and exit"
        " code 1 means that the live one differs from a fresh fold of the log."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the projection; it is the name of its reader")
        parser.add_argument("--check", action="store_true", help="compare only; exit 1 if anything differs")
        parser.add_argument(
            "--afresh", action="store_true", help="begin anew instead of going on with an interrupted build"
        )
        parser.add_argument(
            "--batch", type=int, default=BATCH, metavar="N", help=f"events in one transaction ({BATCH:,})"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        projection, check = _projection(options["name"]), options["check"]
        if options["batch"] < 1:
            raise CommandError("--batch must be at least 1.")
        began = time.monotonic()
        outcome = self._rebuild(projection, options)
        self._tell(outcome, time.monotonic() - began)
        if check and outcome.differing:
            raise CommandError(f"{projection.name} is not what the log says.")

    def _rebuild(self, projection: Projection, options: dict[str, Any]) -> Outcome:
        again = "Run the command again: it goes on where it was."
        try:
            with shown(sys.stderr, projection.name) as watch:
                return rebuild(
                    projection, clock=timezone.now, swap=not options["check"], afresh=options["afresh"],
                    batch=options["batch"], watch=watch,
                )  # fmt: skip
        except Refused as refused:
            raise CommandError(f"Refused: {refused.detail or refused.code}") from refused
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted. {again}") from None
        except DatabaseError as error:
            raise CommandError(f"The database does not answer as it should: {error} {again}") from error

    def _tell(self, outcome: Outcome, seconds: float) -> None:
        build = outcome.build
        skipped = f" and {build.skipped:,} skipped by a person" if build.skipped else ""
        now = f", {outcome.taken:,} of them now," if build.events > outcome.taken else ""
        pace = f"in {seconds:,.1f} s ({outcome.taken / max(seconds, 0.001):,.0f}/s)"
        self.stdout.write(f"{build.name}: {build.events:,} events{skipped}{now} {pace}")
        for one in outcome.differences:
            self.stdout.write(f"  {one.table}: {_count(one.rows, 'row')}, {_differing(one)}")
            for key in one.keys:
                self.stdout.write(f"    {key}")
        self.stdout.write(
            f"Slot {build.slot} is live now; slot {outcome.old_slot} stays until the next build."
            if outcome.swapped
            else f"Slot {outcome.old_slot} stays live; nothing was swapped."
        )


def _projection(name: str) -> Projection:
    try:
        return get_projection(name)
    except KeyError:
        known = ", ".join(p.name for p in projections()) or "none"
        raise CommandError(f"No projection {name}. There are: {known}.") from None


def _differing(one: Any) -> str:
    if not one.count:
        return "none differs"
    return f"{one.count:,} differ ({one.changed:,} changed, {one.added:,} new, {one.gone:,} gone), such as"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
