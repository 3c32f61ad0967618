"""One import at a time for a shop. The lock dies with its connection, so a killed import blocks nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sagas.sql import rows

TAKE = "SELECT pg_try_advisory_lock(hashtext('orders.import'), hashtext(%s))"
LET_GO = "SELECT pg_advisory_unlock(hashtext('orders.import'), hashtext(%s))"


class ImportRunning(Exception):
    """Another process is importing for this shop."""


@contextmanager
def alone(shop_id: UUID, *, patience_seconds: float = 10.0) -> Iterator[None]:
    """Hold the shop's import lock. Raises ImportRunning after a while: a killed client is noticed late."""
    stop = time.monotonic() + patience_seconds
    while not rows(TAKE, [str(shop_id)])[0][0]:
        if time.monotonic() > stop:
            raise ImportRunning(str(shop_id))
        time.sleep(0.1)
    try:
        yield
    finally:
        rows(LET_GO, [str(shop_id)])
