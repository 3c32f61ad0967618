"""Compensations run as Celery chains, built from the rows: one per path a batch turned back over.

A link is the undo's own task: it re-reads its rows, undoes every saga due there, and never raises. A chain that
is lost is rebuilt by the sweep; one that is doubled finds nothing to do. While one is on its way, or somebody is at
its first undo, no other is sent: whoever is there takes what has come meanwhile, and calls for the undos behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from celery import chain, current_app

from sagas import bell
from sagas.bell import BROKER_ERRORS, queue_of
from sagas.engine.rows import UNDO, Change

logger = structlog.get_logger(__name__)

Path = tuple[str, ...]


def paths(changes: Iterable[Change]) -> set[Path]:
    """The ways back of the sagas that turned: names of undos, newest first."""
    found = set()
    for change in changes:
        if change.turned_back:
            undos = [r for r in (*change.created, *change.updated) if r.direction == UNDO and r.open]
            found.add(tuple(r.name for r in sorted(undos, key=lambda r: -r.position)))
    return {path for path in found if path}


def send(ways: Iterable[Path]) -> None:
    """Send one chain per path. A broker that cannot be reached costs only time: the sweep finds the rows."""
    for path in sorted(ways):
        if not bell.take(path[0]):
            continue
        try:
            build(path).apply_async(ignore_result=True)
        except BROKER_ERRORS as error:
            logger.warning("chain_not_sent", path=path, error=type(error).__name__)


def build(path: Sequence[str]) -> chain:
    """The chain of one path: immutable links, each in the queue of the app that owns the undo."""
    links = [current_app.signature(name, immutable=True, queue=queue_of(name)) for name in path]
    return chain(*[link.set(ignore_result=True) for link in links])
