"""A build's row: begun, moved, ended. One is open per projection, and one process at a time works at it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import OperationalError, connection, transaction

from sagas.log import Token
from sagas.projections import SLOTS, Projection, live_slot
from sagas.rebuild.rows import ProjectionBuild, ProjectionSlot
from sagas.sql import execute, rows
from sagas.verdicts import Refused

#: A reader may still be at the spare slot. Waiting for it must not hold up the readers behind us, so each try is
#: short, and there are many.
TRUNCATE_WAIT_MS, TRUNCATE_TRIES, TRUNCATE_PAUSE_SECONDS = 200, 60, 0.3

MOVE = """
UPDATE sagas_projectionbuild
   SET era = %s, xid = %s, position = %s, events = %s, skipped = %s, moved_at = %s, state = 'building', error = ''
 WHERE id = %s
"""


class BuildUnderWay(Refused):
    """Another process builds this projection."""

    code = "sagas.build_under_way"


class SlotInUse(Refused):
    """A session holds on to the spare slot, so that it cannot be emptied."""

    code = "sagas.slot_in_use"


@contextmanager
def claimed(name: str) -> Iterator[None]:
    """Be the only one who builds this projection; the claim dies with the session. Raises BuildUnderWay."""
    key = f"waybill.rebuild|{name}"
    if not rows("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])[0][0]:
        raise BuildUnderWay(detail=f"{name} is being rebuilt by another process")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback:
            rows("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def open_build(projection: Projection, *, afresh: bool, now: datetime) -> tuple[ProjectionBuild, bool]:
    """The interrupted build if there is one, else a new one in the emptied spare slot. Whether it is new."""
    spare = spare_slot(projection)
    found = ProjectionBuild.objects.filter(name=projection.name, finished_at__isnull=True).first()
    if found is not None and found.slot == spare and not afresh:
        return found, False
    if found is not None:
        end(found, ProjectionBuild.State.DROPPED, now=now)
    return _begin(projection, spare, now), True


def spare_slot(projection: Projection) -> int:
    """The slot that nobody reads."""
    first, second = SLOTS
    return second if live_slot(projection.name) == first else first


def token_of(build: ProjectionBuild) -> Token:
    """Where in the feed a build stands."""
    return Token(build.era, build.xid, build.position)


def move(build: ProjectionBuild, to: Token, *, events: int, skipped: int, now: datetime) -> None:
    """Note, in the transaction of the fold, that so many more events are in."""
    build.era, build.xid, build.position = to
    build.events += events
    build.skipped += skipped
    execute(MOVE, [*to, build.events, build.skipped, now, build.pk])


def stop(build: ProjectionBuild, error: str, *, now: datetime) -> None:
    """The build stands before an event that its fold cannot digest."""
    build.state, build.error, build.moved_at = ProjectionBuild.State.STOPPED, error, now
    build.save(update_fields=["state", "error", "moved_at"])


def end(
    build: ProjectionBuild, state: ProjectionBuild.State, *, now: datetime, differing: int | None = None
) -> None:
    """Nothing more is done at this build."""
    build.state, build.finished_at, build.differing = state, now, differing
    build.save(update_fields=["state", "finished_at", "differing"])


def make_live(build: ProjectionBuild, *, now: datetime) -> None:
    """From the commit on readers see this build's slot."""
    ProjectionSlot.objects.update_or_create(
        name=build.name, defaults={"live_slot": build.slot, "swapped_at": now}
    )


def _begin(projection: Projection, slot: int, now: datetime) -> ProjectionBuild:
    for tries_left in reversed(range(TRUNCATE_TRIES)):
        try:
            with transaction.atomic():
                rows("SELECT set_config('lock_timeout', %s, true)", [str(TRUNCATE_WAIT_MS)])
                execute("TRUNCATE " + ", ".join(part(table, slot) for table in projection.tables))
                return ProjectionBuild.objects.create(
                    name=projection.name, slot=slot, started_at=now, moved_at=now
                )
        except OperationalError as error:
            if not tries_left or getattr(error.__cause__, "sqlstate", "") != "55P03":  # lock_not_available
                raise
            time.sleep(TRUNCATE_PAUSE_SECONDS)
    raise SlotInUse


def part(table: str, slot: int) -> str:
    """The partition of a table that holds one slot."""
    return connection.ops.quote_name(f"{table}_{slot}")
