"""Counters of the engine. Labels are bounded: step names, verdict words, codes of definitions; never ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from prometheus_client import Counter, Histogram

from sagas.engine.rows import DUE, Change, SagaRow

VERDICTS = Counter("waybill_step_verdicts_total", "Verdicts of saga steps.", ["step", "verdict"])
ENDS = Counter("waybill_sagas_ended_total", "Sagas that came to a final state.", ["definition", "state"])
TURNED = Counter("waybill_sagas_turned_back_total", "Sagas that turned back.", ["definition", "cause"])
PARKED = Counter("waybill_sagas_parked_total", "Sagas that were parked for a person.", ["definition"])
BATCH_SIZE = Histogram(
    "waybill_batch_steps", "Steps per batch.", ["step"], buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500)
)
BATCH_SECONDS = Histogram("waybill_batch_seconds", "Seconds per batch.", ["step"])
DELIVERED = Counter("waybill_events_delivered_total", "Events delivered.", ["subscription"])
EVENTS_PARKED = Counter(
    "waybill_events_parked_total", "Events a reaction could not digest.", ["subscription"]
)
SWEPT = Counter("waybill_loop_rows_total", "Rows handled by loops of the keep process.", ["loop"])


def count_changes(changes: Iterable[Change], before: Mapping[UUID, SagaRow]) -> None:
    """Count what a batch decided."""
    for change in changes:
        saga, old = change.saga, before[change.saga.id]
        for row in change.updated:
            if row.verdict:
                VERDICTS.labels(row.name, row.verdict if row.state == DUE else row.state).inc()
        if saga.state != old.state and saga.finished_at is not None:
            ENDS.labels(saga.definition, saga.state).inc()
        if change.turned_back or (saga.choreographed and saga.cause and not old.cause):
            TURNED.labels(saga.definition, saga.cause).inc()
        if saga.hold == "parked" and old.hold != "parked":
            PARKED.labels(saga.definition).inc()


def observe_batch(step: str, size: int, seconds: float) -> None:
    """Note one batch of a step."""
    BATCH_SIZE.labels(step).observe(size)
    BATCH_SECONDS.labels(step).observe(seconds)
