"""Numbers of outgoing webhooks. Labels are a few words, never ids or addresses."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

DELIVERIES = Counter("waybill_webhook_attempts_total", "Attempts at webhook deliveries.", ["outcome"])
SECONDS = Histogram(
    "waybill_webhook_seconds", "How long endpoints take to answer.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)  # fmt: skip
DISABLED = Counter("waybill_webhook_endpoints_disabled_total", "Endpoints that were disabled.", ["code"])
EXHAUSTED = Counter("waybill_webhook_exhausted_total", "Deliveries that will not be tried again.")
