"""What the rows say of outgoing webhooks when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import DatabaseError
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sagas.remember import Remembered
from sagas.sql import rows

SECONDS = 5.0
MOST_ROWS = 10_000

DUE = """
SELECT count(*), coalesce(extract(epoch FROM waybill_now() - min(wake_at)), 0)::float8 FROM (
  SELECT wake_at FROM webhooks_delivery WHERE wake_at <= waybill_now() ORDER BY wake_at LIMIT %s) d
"""
ENDPOINTS = "SELECT state, count(*) FROM webhooks_endpoint WHERE deleted_at IS NULL GROUP BY 1"


class WebhookGauges(Collector):
    """All gauges of webhooks. A silent database costs the gauges, never the scrape."""

    def __init__(self) -> None:
        self._kept: Remembered[list[Metric]] = Remembered(read, seconds=SECONDS)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not read rows."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """What the rows say, or nothing if they cannot be read: the platform's own gauges tell of that."""
        try:
            return self._kept.get()
        except DatabaseError:
            return []

    def forget(self) -> None:
        """Read anew at the next scrape."""
        self._kept.forget()


def read() -> list[Metric]:
    """Every gauge, from the rows as they are now. What waits at resting endpoints counts as due."""
    ((count, oldest),) = rows(DUE, [MOST_ROWS])
    due = GaugeMetricFamily("waybill_webhooks_due", f"Webhook deliveries that are due, at most {MOST_ROWS}.")
    due.add_metric([], count)
    age = GaugeMetricFamily(
        "waybill_webhooks_due_oldest_seconds", "For how long the oldest due webhook delivery has waited."
    )
    age.add_metric([], oldest)
    endpoints = GaugeMetricFamily("waybill_webhook_endpoints", "Webhook endpoints.", labels=["state"])
    found = dict(rows(ENDPOINTS))
    for state in ("enabled", "disabled"):
        endpoints.add_metric([state], found.get(state, 0))
    return [due, age, endpoints]


#: Offered to whoever serves the metrics.
ROW_COLLECTORS: tuple[Collector, ...] = (WebhookGauges(),)
