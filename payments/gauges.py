"""What Prometheus may know of reconciliation and disputes, read from the rows. Every kind is there, also at zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from django.db.models import Count
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from payments import queries
from payments.models import Payment, Renewal
from payments.reconciliation.rows import Case, ReconciliationRun
from sagas.clock import database_now
from sagas.row_gauges import RowCollector


def read() -> list[Metric]:
    """Every gauge, from the rows as they are now."""
    return [_cases(), *_last_run(), _renewals(), _disputes()]


def _renewals() -> Metric:
    """By state, of payments whose money is still only held: what was declined or dropped there will run out."""
    gauge = GaugeMetricFamily(
        "waybill_renewals_held", "Renewals of authorizations whose payment is still held.", labels=["state"]
    )
    held = Renewal.objects.filter(payment__state=Payment.State.AUTHORIZED)
    found = dict(held.values_list("state").annotate(Count("id")))
    for state in Renewal.State.values:
        gauge.add_metric([state], found.get(state, 0))
    return gauge


def _disputes() -> Metric:
    """By how soon evidence is due. `none`: nobody has to send any, the bank decides."""
    gauge = GaugeMetricFamily(
        "waybill_disputes_open", "Open disputes by how soon their evidence is due.", labels=["due"]
    )
    found = queries.disputes_by_urgency(now=database_now())
    for due in get_args(queries.Urgency):
        gauge.add_metric([due], found.get(due, 0))
    return gauge


def _cases() -> Metric:
    gauge = GaugeMetricFamily("waybill_cases_open", "Open cases of reconciliation.", labels=["kind"])
    open_cases = Case.objects.filter(state=Case.State.OPEN)
    found = dict(open_cases.values_list("kind").annotate(Count("id")))
    for kind in Case.Kind.values:
        gauge.add_metric([kind], found.get(kind, 0))
    return gauge


def _last_run() -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "waybill_reconciliation_age_seconds", "How long ago a reconciliation last came to its end."
    )
    result = GaugeMetricFamily(
        "waybill_reconciliation_result",
        "How the last reconciliation stands: 1 for its result.",
        labels=["result"],
    )
    done = (
        ReconciliationRun.objects.filter(phase=ReconciliationRun.Phase.DONE).order_by("-finished_at").first()
    )
    if done is not None and done.finished_at is not None:
        age.add_metric([], max(0.0, (database_now() - done.finished_at).total_seconds()))
    last = ReconciliationRun.objects.order_by("-started_at").first()
    for word in ReconciliationRun.Result.values:
        result.add_metric([word], int(last is not None and last.result == word))
    yield from (age, result)


#: Offered to whoever serves the metrics.
ROW_COLLECTORS = (RowCollector(read),)
