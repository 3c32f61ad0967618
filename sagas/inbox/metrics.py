"""Counters of the inbox. Labels are names of sources we have and words of ours; never anything a sender wrote."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import Counter

WEBHOOKS = Counter(
    "waybill_webhooks_received_total",
    "Incoming webhooks: received, duplicate, rejected; and what came of them: applied, ignored, expired.",
    ["source", "outcome"],
)


def count(source: str, outcome: str) -> None:
    """Count one message."""
    WEBHOOKS.labels(source, outcome).inc()


def count_all(outcomes: Iterable[tuple[str, str]]) -> None:
    """Count many, each (source, outcome)."""
    for (source, outcome), times in Tally(outcomes).items():
        WEBHOOKS.labels(source, outcome).inc(times)
