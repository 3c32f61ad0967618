"""What the commands that move parcels share: bounded batches, progress, and patience with the carrier."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from sagas.verdicts import Refused, Verdict
from shipping.commands import Moved
from shipping.commands.leaving import BATCH


class MovingCommand(BaseCommand):
    """Moves a batch, or everything with --all. Killed at any moment and run again it finishes the job."""

    done_word: ClassVar[str]
    #: How often a call the carrier did not answer is made again, and how long to wait before, in seconds.
    tries: ClassVar[int] = 5
    pause: ClassVar[float] = 1.0

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="go on until nothing is left")
        parser.add_argument("--limit", type=int, default=BATCH, help=f"parcels in a batch, 1 to {BATCH}")

    def handle(self, *, limit: int, **options: Any) -> None:
        if not 1 <= limit <= BATCH:
            raise CommandError(f"--limit is 1 to {BATCH}.")
        asked = moved = 0
        last: UUID | None = None
        while True:
            batch = self._try(limit, last)
            asked, moved, last = asked + batch.asked, moved + batch.moved, batch.last
            if not options["all"] or last is None:
                break
            self.stderr.write(f"{moved} of {asked} parcels {self.done_word}")
        self.stdout.write(f"{moved} parcels {self.done_word}; {asked - moved} were left where they are.")

    def batch(self, *, now: datetime, limit: int, after: UUID | None) -> Moved:
        """Move one batch of parcels that come after `after`."""
        raise NotImplementedError

    def _try(self, limit: int, after: UUID | None) -> Moved:
        for attempt in range(1, self.tries + 1):
            try:
                return self.batch(now=datetime.now(UTC), limit=limit, after=after)
            except Verdict as verdict:
                if isinstance(verdict, Refused) or attempt == self.tries:
                    raise CommandError(f"The carrier does not do it: {verdict}. Run it again.") from verdict
                time.sleep(self.pause)
        raise AssertionError("unreachable")
