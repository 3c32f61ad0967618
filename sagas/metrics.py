"""Counters of the engine. Labels are bounded: step names, verdict words, codes of definitions; never ids."""

from __future__ import annotations

from collections import Counter as TallyOf
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


Tally = TallyOf[tuple[Counter, tuple[str, str] | tuple[str]]]


def tally_of(changes: Iterable[Change], before: Mapping[UUID, SagaRow]) -> Tally:
    """What a batch decided, added up: how often each counter has to be raised under each of its labels."""
    tally: Tally = TallyOf()
    for change in changes:
        saga, old = change.saga, before[change.saga.id]
        for row in (*change.updated, *(r for r in change.created if r.attempt)):
            if row.verdict:
                tally[VERDICTS, (row.name, row.verdict if row.state == DUE else row.state)] += 1
        if saga.state != old.state and saga.finished_at is not None:
            tally[ENDS, (saga.definition, saga.state)] += 1
        if change.turned_back or (saga.choreographed and saga.cause and not old.cause):
            tally[TURNED, (saga.definition, saga.cause)] += 1
        if saga.hold == "parked" and old.hold != "parked":
            tally[PARKED, (saga.definition,)] += 1
    return tally


def count(tally: Tally) -> None:
    """Raise the counters. After the commit: what was rolled back has not happened."""
    for (counter, labels), times in tally.items():
        counter.labels(*labels).inc(times)


def observe_batch(step: str, size: int, seconds: float) -> None:
    """Note one batch of a step."""
    BATCH_SIZE.labels(step).observe(size)
    BATCH_SECONDS.labels(step).observe(seconds)
