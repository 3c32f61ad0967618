"""Yesterday is reconciled once a day, in small helpings, by one process."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from django.conf import settings

from payments.gauges import read
from payments.loops import reconcile
from payments.models import Payment
from payments.reconciliation import nightly
from payments.reconciliation.nightly import BadTime, read_time, some_pages
from payments.reconciliation.rows import Case, ReconciliationRun
from sagas.loops import all_loops
from sagas.row_gauges import RowCollector
from tests.payments.reconciliation.desk import Desk

NOW = datetime(2026, 1, 6, 2, 30, tzinfo=UTC)
AT = time(2, 15)


@pytest.fixture
def yesterday(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Three payments of the day before, one of which differs."""
    for name in ("A-1", "A-2", "A-3"):
        desk.till.captured(name)
    desk.gateway.alter(desk.payment("A-2").provider_id, captured_minor=900)
    monkeypatch.setattr(nightly, "database_now", lambda: NOW)
    return desk


def figures() -> dict[str, float]:
    """The gauges with their labels."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for metric in RowCollector(read).collect()
        for sample in metric.samples
    }


def test_it_is_off_unless_set(yesterday: Desk) -> None:
    assert settings.WAYBILL.reconcile_at == ""
    assert reconcile(now=NOW) == 0
    assert ReconciliationRun.objects.count() == 0
    assert "payments.reconcile" in {loop.name for loop in all_loops()}


def test_the_loop_goes_by_the_setting(yesterday: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, reconcile_at="02:15"))

    assert reconcile(now=NOW) == 5


def test_yesterday_is_compared_once_and_only_when_it_is_time(yesterday: Desk) -> None:
    early = some_pages(AT, now=NOW - timedelta(minutes=20))
    first = some_pages(AT, now=NOW)
    again = [some_pages(AT, now=NOW + timedelta(hours=n)) for n in range(3)]

    assert (early, first, again) == (0, 5, [0, 0, 0])
    run = ReconciliationRun.objects.get()
    assert (run.since, run.until) == (datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))
    assert (run.result, run.compared) == ("differences", 3)


def test_it_goes_on_in_small_helpings(yesterday: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "PAGES", 2)

    helpings = [some_pages(AT, now=NOW) for _ in range(4)]

    assert helpings == [2, 2, 1, 0]
    assert ReconciliationRun.objects.get().result == "differences"


def test_a_silent_provider_is_asked_again_in_the_next_pass(yesterday: Desk) -> None:
    yesterday.gateway.silent_after = 0
    silent = some_pages(AT, now=NOW)
    stopped = figures()
    yesterday.gateway.silent_after = None

    assert (silent, some_pages(AT, now=NOW)) == (0, 5)
    assert stopped["waybill_reconciliation_result stopped"] == 1
    assert "waybill_reconciliation_age_seconds" not in stopped
    assert ReconciliationRun.objects.count() == 1


def test_the_gauges_tell_of_open_cases_and_of_the_last_run(
    yesterday: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_pages(AT, now=NOW)
    monkeypatch.setattr("payments.gauges.database_now", lambda: NOW + timedelta(hours=2))
    found = figures()

    assert found["waybill_cases_open amount_differs"] == 1
    assert found["waybill_cases_open unknown_to_us"] == 0
    assert len([name for name in found if name.startswith("waybill_cases_open")]) == len(Case.Kind)
    assert found["waybill_reconciliation_age_seconds"] == 7200
    assert found["waybill_reconciliation_result differences"] == 1
    assert found["waybill_reconciliation_result clean"] == 0


def test_what_has_ended_is_not_counted_as_open(yesterday: Desk) -> None:
    some_pages(AT, now=NOW)
    Case.objects.update(state="closed", ended_at=NOW)

    assert figures()["waybill_cases_open amount_differs"] == 0
    assert Payment.objects.count() == 3


@pytest.mark.parametrize("text", ["25:00", "2", "02:30:00", "night"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(BadTime, match="RECONCILE_AT"):
        read_time(text)
