"""What the rows say of outgoing webhooks when Prometheus asks."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from sagas.row_gauges import RowCollector
from sagas.sql import rows

MOST_ROWS = 10_000

DUE = """
SELECT count(*), coalesce(extract(epoch FROM waybill_now() - min(wake_at)), 0)::float8 FROM (
  SELECT wake_at FROM webhooks_delivery WHERE wake_at <= waybill_now() ORDER BY wake_at LIMIT %s) d
"""
ENDPOINTS = "SELECT state, count(*) FROM webhooks_endpoint WHERE deleted_at IS NULL GROUP BY 1"


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
ROW_COLLECTORS = (RowCollector(read),)
