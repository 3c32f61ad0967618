"""Gauges that are read from rows when Prometheus asks, at most once in five seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import DatabaseError
from prometheus_client import Metric
from prometheus_client.registry import Collector

from sagas.remember import Remembered

SECONDS = 5.0


class RowCollector(Collector):
    """Gauges that `read` makes of the rows. A silent database costs the gauges, never the scrape."""

    def __init__(self, read: Callable[[], list[Metric]]) -> None:
        self._kept: Remembered[list[Metric]] = Remembered(read, seconds=SECONDS)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not read rows."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """What the rows say; nothing while they cannot be read, which `waybill_rows_readable` tells."""
        try:
            return self._kept.get()
        except DatabaseError:
            return []

    def forget(self) -> None:
        """Read anew at the next scrape."""
        self._kept.forget()
