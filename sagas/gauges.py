"""Numbers read from the rows when Prometheus asks, at most once in five seconds. Labels are never ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from sagas import circuits, lag, overview
from sagas.clock import database_now
from sagas.definition import definitions
from sagas.inbox.sources import source_names
from sagas.models import Saga
from sagas.resilience.circuit import Position
from sagas.row_gauges import RowCollector
from sagas.sql import rows
from sagas.steps import all_steps

# One stretch of the index per step name. A lease is a wake-up time in the future, a hold has none.
DUE = """
SELECT n.name, d.count, extract(epoch FROM waybill_now() - d.oldest)::float8
  FROM unnest(%s::text[]) AS n (name)
  CROSS JOIN LATERAL (
    SELECT count(*), min(wake_at) FROM (
      SELECT wake_at FROM sagas_step t
       WHERE t.name = n.name AND t.finished_at IS NULL AND t.wake_at <= waybill_now() LIMIT %s) t
  ) d (count, oldest)
"""
DEAD_TURNS = """
SELECT t.name, count(*) FROM sagas_turn t
 WHERE NOT EXISTS (SELECT FROM pg_stat_activity a
                    WHERE a.pid = t.backend_pid AND a.backend_start = t.backend_start)
 GROUP BY 1
"""
CORNERED = "SELECT name, cap FROM sagas_death"
# Unread is what came and was not looked at; what waits for its object or its turn has been.
WEBHOOKS = """
SELECT n.name, u.count, extract(epoch FROM waybill_now() - u.oldest)::float8
  FROM unnest(%s::text[]) AS n (name)
  CROSS JOIN LATERAL (
    SELECT count(*), min(received_at) FILTER (WHERE state = 'received') FROM (
      SELECT received_at, state FROM sagas_incomingwebhook w
       WHERE w.source = n.name AND w.settled_at IS NULL LIMIT %s) w
  ) u (count, oldest)
"""
_OPEN = tuple(state for state in Saga.State if state not in Saga.FINAL)


class RowGauges(RowCollector):
    """All gauges of the platform, and whether rows can be read at all."""

    def __init__(self) -> None:
        super().__init__(read)

    def collect(self) -> Iterable[Metric]:
        """What the rows say, or that they could not be read."""
        found = list(super().collect())
        readable = GaugeMetricFamily(
            "waybill_rows_readable", "Whether the gauges could be read from the rows."
        )
        readable.add_metric([], int(bool(found)))
        return [readable, *found]


def read() -> list[Metric]:
    """Every gauge, from the rows as they are now."""
    now = database_now()
    return [
        *_sagas(), *_due(), *_lags(now), *_builds(), *_parked(), *_turns(), *_circuits(), *_webhooks(),
    ]  # fmt: skip


def _sagas() -> Iterator[Metric]:
    gauge = GaugeMetricFamily("waybill_sagas", "Unfinished sagas.", labels=["definition", "state", "hold"])
    found = {key: group.count for key, group in overview.open_sagas().items()}
    known = {(d.name, str(state), str(hold)) for d in definitions() for state in _OPEN for hold in Saga.Hold}
    for key in sorted(known | set(found)):
        gauge.add_metric(list(key), found.get(key, 0))
    yield gauge


def _due() -> Iterator[Metric]:
    count = GaugeMetricFamily("waybill_steps_due", "Steps that are due now.", labels=["step"])
    age = GaugeMetricFamily(
        "waybill_steps_due_oldest_seconds", "For how long the oldest due step has waited.", labels=["step"]
    )
    for name, due, oldest in rows(DUE, [sorted(all_steps()), overview.MOST_ROWS]):
        count.add_metric([name], due)
        age.add_metric([name], oldest or 0)
    yield from (count, age)


def _lags(now: datetime) -> Iterator[Metric]:
    labels = ["subscription", "shard"]
    events = GaugeMetricFamily(
        "waybill_subscription_lag_events", f"Undelivered events, at most {lag.MOST_EVENTS}.", labels=labels
    )
    seconds = GaugeMetricFamily(
        "waybill_subscription_lag_seconds", "Age of the oldest undelivered event.", labels=labels
    )
    stopped = GaugeMetricFamily(
        "waybill_subscription_stopped", "Whether the subscription stands still for a person.", labels=labels
    )
    for one in lag.lags():
        key = [one.subscription, str(one.shard)]
        events.add_metric(key, one.waiting)
        seconds.add_metric(key, max(0.0, (now - one.oldest).total_seconds()) if one.oldest else 0)
        stopped.add_metric(key, one.stopped)
    yield from (events, seconds, stopped)


def _builds() -> Iterator[Metric]:
    gauge = GaugeMetricFamily(
        "waybill_projection_build_events",
        "Events that an unfinished build of a projection has taken in.",
        labels=["projection", "state"],
    )
    for one in lag.builds():
        if one.finished_at is None:
            gauge.add_metric([one.name, one.state], one.events)
    yield gauge


def _parked() -> Iterator[Metric]:
    gauge = GaugeMetricFamily(
        "waybill_parked_events", "Events that wait for a person.", labels=["subscription"]
    )
    for one in lag.parked():
        gauge.add_metric([one.subscription], one.count)
    yield gauge


def _circuits() -> Iterator[Metric]:
    labels = ["provider", "operation", "position"]
    stands = GaugeMetricFamily("waybill_circuit_position", "1 where a circuit stands.", labels=labels)
    forced = GaugeMetricFamily(
        "waybill_circuit_forced", "Whether a person holds the circuit.", labels=["provider", "operation"]
    )
    for one in circuits.reports():
        for position in Position:
            stands.add_metric([one.provider, one.operation, position.value], one.position is position)
        forced.add_metric([one.provider, one.operation], one.forced is not None)
    yield from (stands, forced)


def _turns() -> Iterator[Metric]:
    dead = GaugeMetricFamily(
        "waybill_turns_dead", "Turns whose worker died and that nobody buried.", labels=["name"]
    )
    for name, count in rows(DEAD_TURNS):
        dead.add_metric([name], count)
    cap = GaugeMetricFamily("waybill_turn_cap", "How small batches are kept after deaths.", labels=["name"])
    for name, most in rows(CORNERED):
        cap.add_metric([name], most)
    yield from (dead, cap)


def _webhooks() -> Iterator[Metric]:
    count = GaugeMetricFamily(
        "waybill_webhooks_open", "Incoming webhooks that have not come to an end.", labels=["source"]
    )
    age = GaugeMetricFamily(
        "waybill_webhooks_unread_oldest_seconds",
        "Age of the oldest webhook nobody has read.",
        labels=["source"],
    )
    for name, waiting, oldest in rows(WEBHOOKS, [source_names(), overview.MOST_ROWS]):
        count.add_metric([name], waiting)
        age.add_metric([name], oldest or 0)
    yield from (count, age)


#: Offered to whoever serves the metrics.
ROW_COLLECTORS = (RowGauges(),)
