"""What Prometheus reads: gauges from the rows at scrape, counters of workers from their shared folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from config.embedded.state import BASE_DIR
from sagas import gauges, log, overview
from sagas.bus import subscription, unsubscribe
from sagas.clock import database_now, travel
from sagas.contract import OperatorActed
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Append, Recorded
from sagas.models import ParkedEvent, Turn
from sagas.rebuild.rows import ProjectionBuild
from sagas.remember import Remembered
from sagas.verdicts import Unavailable
from tests.sagas import toys
from tests.sagas.toys import Script


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing read by another test, and the session's clock at home."""
    forget()
    yield
    forget()


def forget() -> None:
    for collector in gauges.ROW_COLLECTORS:
        assert isinstance(collector, gauges.RowGauges)
        collector.forget()


def scrape() -> dict[str, float]:
    """Every sample of /metrics."""
    response = Client().get("/metrics")
    assert response.status_code == 200
    lines = [line for line in response.content.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def saga_key(state: str, hold: str) -> str:
    return f'waybill_sagas{{definition="sagas.toy",hold="{hold}",state="{state}"}}'


def test_unfinished_sagas_by_definition_state_and_hold(toy: Script) -> None:
    toys.start("done")
    toys.settle()
    toy.always["hold_money"] = Unavailable("busy")
    toys.start("stuck")
    toys.settle()
    toys.start_many(["new-1", "new-2"])

    seen = scrape()

    assert seen[saga_key("running", "parked")] == 1
    assert seen[saga_key("pending", "none")] == 2
    assert seen[saga_key("compensating", "none")] == 0
    assert not [name for name in seen if 'state="completed"' in name and name.startswith("waybill_sagas{")]


def test_due_steps_with_the_age_of_the_oldest(toy: Script) -> None:
    toys.start_many(["A-1", "A-2"])
    travel(90)

    seen = scrape()
    travel(0)

    assert seen['waybill_steps_due{step="sagas.open_case"}'] == 2
    assert 89 < seen['waybill_steps_due_oldest_seconds{step="sagas.open_case"}'] < 120
    assert seen['waybill_steps_due{step="sagas.hold_money"}'] == 0


def test_lag_of_a_reader_in_events_and_seconds(transactional_db: None) -> None:
    @subscription("sagas.toy_reader", of=(OperatorActed,))
    def take(*, events: Sequence[Recorded], now: datetime) -> None:
        """Takes anything."""

    try:
        at = database_now() - timedelta(seconds=40)
        event = OperatorActed(saga_id=None, act="x", target="y")
        log.publish([Append(uuid7(), 1, event), Append(uuid7(), 1, event)], now=at)
        behind = scrape()
        deliver("sagas.toy_reader", now=database_now)
        forget()
        caught_up = scrape()
    finally:
        unsubscribe("sagas.toy_reader")

    key = 'shard="0",subscription="sagas.toy_reader"'
    assert behind[f"waybill_subscription_lag_events{{{key}}}"] == 2
    assert 39 < behind[f"waybill_subscription_lag_seconds{{{key}}}"] < 80
    assert caught_up[f"waybill_subscription_lag_events{{{key}}}"] == 0
    assert caught_up[f"waybill_subscription_lag_seconds{{{key}}}"] == 0


def test_a_build_of_a_projection_that_is_not_finished(transactional_db: None) -> None:
    now = database_now()
    for name, state, ended in (
        ("sagas.a", "building", None),
        ("sagas.b", "stopped", None),
        ("sagas.c", "swapped", now),
    ):
        ProjectionBuild.objects.create(
            name=name, slot=2, events=7, state=state, started_at=now, moved_at=now, finished_at=ended
        )

    found = {key: value for key, value in scrape().items() if "build_events" in key}

    assert found == {
        'waybill_projection_build_events{projection="sagas.a",state="building"}': 7,
        'waybill_projection_build_events{projection="sagas.b",state="stopped"}': 7,
    }


def test_parked_events_and_dead_turns(transactional_db: None) -> None:
    now = database_now()
    ParkedEvent.objects.create(subscription="sagas.r", stream=uuid7(), version=1, error="x", parked_at=now)
    ParkedEvent.objects.create(
        subscription="sagas.r", stream=uuid7(), version=1, error="x", parked_at=now, settled_at=now
    )
    Turn.objects.create(
        name="sagas.open_case", cap=250, worker="w", backend_pid=1, backend_start=now, began_at=now
    )

    seen = scrape()

    assert seen['waybill_parked_events{subscription="sagas.r"}'] == 1
    assert seen['waybill_turns_dead{name="sagas.open_case"}'] == 1


def test_rows_are_read_once_in_five_seconds(toy: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    toys.start("A-1")
    first = scrape()
    toys.start("A-2")

    clock[0] += 4.9
    soon = scrape()
    clock[0] += 0.2
    later = scrape()

    assert first[saga_key("pending", "none")] == soon[saga_key("pending", "none")] == 1
    assert later[saga_key("pending", "none")] == 2


def test_what_is_slow_to_read_is_read_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, reads = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def slow() -> int:
        clock[0] += 2
        reads.append(clock[0])
        return len(reads)

    kept = Remembered(slow, seconds=1)

    assert [kept.get(), kept.get()] == [1, 1]
    clock[0] += 39
    assert kept.get() == 1
    clock[0] += 2
    assert kept.get() == 2


def test_a_silent_database_costs_the_gauges_and_not_the_counters(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(overview, "open_sagas", silent)

    seen = scrape()

    assert seen["waybill_rows_readable"] == 0
    assert any(name.startswith("waybill_") and "_total" in name for name in seen) or "python_info" in str(
        seen
    )
    assert not [name for name in seen if name.startswith("waybill_sagas{")]


def test_labels_are_never_ids(toy: Script) -> None:
    toys.start()

    seen = scrape()

    assert not [name for name in seen if re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", name)]


COUNT = """
import django; django.setup()
from sagas import metrics
metrics.VERDICTS.labels("payments.capture_payment", "done").inc(3)
"""


def test_counters_of_other_processes_arrive_through_their_folder(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", COUNT], env=env, cwd=BASE_DIR, check=True, timeout=60)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    seen = scrape()

    key = 'waybill_step_verdicts_total{step="payments.capture_payment",verdict="done"}'
    assert seen[key] == 6
    assert seen["waybill_rows_readable"] == 1
