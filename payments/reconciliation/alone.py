"""One reconciliation at a time. The lock dies with its connection, so a killed one blocks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sagas.sql import rows

TAKE = "SELECT pg_try_advisory_lock(hashtext('payments.reconcile'), 0)"
LET_GO = "SELECT pg_advisory_unlock(hashtext('payments.reconcile'), 0)"


class AlreadyRunning(Exception):
    """Another process reconciles just now."""


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of reconciliation. Raises AlreadyRunning."""
    if not rows(TAKE)[0][0]:
        raise AlreadyRunning
    try:
        yield
    finally:
        rows(LET_GO)
