"""Building a projection anew: fold the log into the spare slot, meet the live one, compare, swap.

The build goes as far as the live checkpoint and never further. So all it reads is settled, both slots can be
compared row by row, and live delivery goes on after the swap from its own checkpoint, whichever slot it fills.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import transaction

from sagas import delivery, feed
from sagas.bus import get_subscription
from sagas.log import Token
from sagas.projections import Projection, live_slot
from sagas.rebuild import builds
from sagas.rebuild.compare import Difference, compare
from sagas.rebuild.rows import ProjectionBuild
from sagas.sql import execute, rows
from sagas.verdicts import Refused

#: Events in one transaction. While it writes, the readers of the log wait for it: not too many.
BATCH = 5_000
#: The planner is told about the growing tables this early, and again each time they have grown so many times.
FIRST_ANALYZE, ANALYZE_FACTOR = 5_000, 4

LIVE_AT = "SELECT era, xid, position FROM sagas_checkpoint WHERE subscription = %s AND shard = 0"
TO_DO = """
SELECT count(*) FROM sagas_event
 WHERE (era, xid, position) > (%s, %s, %s) AND (era, xid, position) <= (%s, %s, %s) AND type = ANY(%s)
"""
SKIPPED = """
SELECT count(*) FROM sagas_skippedevent
 WHERE subscription = %s AND (era, xid, position) > (%s, %s, %s) AND (era, xid, position) <= (%s, %s, %s)
"""


class Indigestible(Refused):
    """The fold cannot digest an event. The build stands before it."""

    code = "sagas.build_stopped"


class Outdated(Refused):
    """The build has taken in what the live projection has not: an event skipped since, or a checkpoint set back."""

    code = "sagas.build_outdated"


class Watcher(Protocol):
    """Is shown how far a build has come."""

    def __call__(self, events: int, of_about: int) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What came of a rebuild: the slot it filled, and how it differs from the live one, table by table.

    `taken` is how many events this run of it took in; an interrupted build had others already.
    """

    build: ProjectionBuild
    taken: int
    old_slot: int
    swapped: bool
    differences: tuple[Difference, ...]

    @property
    def differing(self) -> int:
        return sum(one.count for one in self.differences)


class Rebuild:
    """One run of the builder. It may be killed at any moment: the next run goes on from the build's row."""

    def __init__(
        self, projection: Projection, build: ProjectionBuild, *, batch: int, clock: Callable[[], datetime],
        watch: Watcher,
    ) -> None:  # fmt: skip
        self.projection, self.build = projection, build
        self._before = build.events
        self._sub = get_subscription(projection.name)
        self.batch, self._clock, self._watch = batch, clock, watch
        self._analyze_at = max(FIRST_ANALYZE, build.events * ANALYZE_FACTOR)
        execute(delivery.ENSURE, [projection.name, 0])
        self._of_about = build.events + self._to_do()

    def catch_up(self) -> int:
        """Take in what live delivery has taken in, a batch to a transaction. How many. Raises Indigestible."""
        upto, before = self._live_at(), self.build.events
        self._watch(self.build.events, self._of_about)
        while builds.token_of(self.build) < upto:
            self._take_or_stop(upto)
            if self.build.events >= self._analyze_at:
                self._analyze_at = self.build.events * ANALYZE_FACTOR
                self.analyze()
            self._of_about = max(self._of_about, self.build.events)
            self._watch(self.build.events, self._of_about)
        return self.build.events - before

    def finish(self, *, swap: bool) -> Outcome:
        """Live delivery stands still, the build meets it, both are compared, and swapped."""
        with delivery.standstill(self._sub):
            while True:
                self.catch_up()
                if (outcome := self._compare_and_swap(swap)) is not None:
                    return outcome

    def _compare_and_swap(self, swap: bool) -> Outcome | None:
        """In one transaction, which writes only at its end. None if the live checkpoint has moved all the same.

        A person may have skipped an event, or a worker of older code delivered one.
        """
        build, now = self.build, self._clock()
        with transaction.atomic():
            old = live_slot(build.name)
            differences = tuple(compare(self.projection, old, build.slot))
            upto = Token(*rows(LIVE_AT + " FOR UPDATE", [build.name])[0])
            if upto > builds.token_of(build):
                return None
            self._refuse_outdated(upto)
            if swap:
                builds.make_live(build, now=now)
            differing = sum(one.count for one in differences)
            builds.end(build, State.SWAPPED if swap else State.COMPARED, now=now, differing=differing)
        return Outcome(build, build.events - self._before, old, swap, differences)

    def _take_or_stop(self, upto: Token) -> None:
        """One batch; one that fails is halved until the event that cannot be digested stands alone."""
        limit = self.batch
        while True:
            try:
                return self._take(upto, limit)
            except delivery.TRANSIENT:
                raise
            except Exception as error:
                self.build.refresh_from_db()
                if limit == 1:
                    raise self._stopped(upto, error) from error
                limit = max(1, limit // 2)

    def _take(self, upto: Token, limit: int) -> None:
        """The next events, and the build's place behind them, in one transaction."""
        at, now = builds.token_of(self.build), self._clock()
        with no_collections(), transaction.atomic():
            events = feed.stretch(at, upto, self._sub.types, limit=limit, subscription=self.build.name)
            to = events[-1].token if len(events) == limit else upto
            if events:
                self.projection.fold(events=events, slot=self.build.slot, now=now)
            skipped = rows(SKIPPED, [self.build.name, *at, *to])[0][0]
            builds.move(self.build, to, events=len(events), skipped=skipped, now=now)

    def _stopped(self, upto: Token, error: Exception) -> Indigestible:
        at = builds.token_of(self.build)
        place = feed.place(at, upto, self._sub.types, subscription=self.build.name)
        text = f"{type(error).__name__}: {error}"
        builds.stop(self.build, text, now=self._clock())
        return Indigestible(
            detail=f"event {place.version} of stream {place.stream} cannot be digested: {text}"
        )

    def _refuse_outdated(self, upto: Token) -> None:
        if builds.token_of(self.build) != upto:
            raise Outdated(detail="the live checkpoint was set back behind this build: begin it --afresh")
        known = rows(SKIPPED, [self.build.name, 0, 0, 0, *builds.token_of(self.build)])[0][0]
        if known != self.build.skipped:
            raise Outdated(
                detail="a person has skipped an event that this build had taken in: begin it --afresh"
            )

    def analyze(self) -> None:
        """Tell the planner what has been built, for the readers to come."""
        parts = ", ".join(builds.part(table, self.build.slot) for table in self.projection.tables)
        execute(f"ANALYZE {parts}")

    def _live_at(self) -> Token:
        return Token(*rows(LIVE_AT, [self.build.name])[0])

    def _to_do(self) -> int:
        params = [*builds.token_of(self.build), *self._live_at(), list(self._sub.types)]
        return int(rows(TO_DO, params)[0][0])


def rebuild(
    projection: Projection,
    *,
    clock: Callable[[], datetime],
    swap: bool = True,
    afresh: bool = False,
    batch: int = BATCH,
    watch: Watcher = lambda _events, _of_about: None,
) -> Outcome:
    """Build a projection anew beside the live one and swap it in; without `swap` only compare. Safe to kill.

    Raises BuildUnderWay when another process is at it, Indigestible when the fold cannot go on.
    """
    with builds.claimed(projection.name):
        build, _ = builds.open_build(projection, afresh=afresh, now=clock())
        run = Rebuild(projection, build, batch=batch, clock=clock, watch=watch)
        while (
            run.catch_up() > run.batch
        ):  # live delivery goes on meanwhile: little must be left when it stands still
            run.analyze()
        return run.finish(swap=swap)


@contextmanager
def no_collections() -> Iterator[None]:
    """Thousands of events at once are no garbage: looking through them again and again costs a third of reading."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


State = ProjectionBuild.State
