"""Fixtures of the engine's tests: a clean script for the toys, real transactions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings

from sagas import circuits
from sagas.clock import travel
from sagas.engine import batch
from sagas.projections import forget_projection
from sagas.resilience import breaker
from sagas.resilience.shared import LocalStore
from sagas.sql import execute
from tests.sagas import bank, tallies, toys


@pytest.fixture
def toy(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[toys.Script]:
    """The script of the toy steps, empty before and after. Retries wait their longest, so none comes by chance."""
    monkeypatch.setattr(batch.RNG, "uniform", lambda _low, high: high)
    travel(0)
    toys.script.clear()
    toys.late_cancels.clear()
    toys.parked.clear()
    yield toys.script
    toys.script.clear()


@pytest.fixture
def tallied(transactional_db: None) -> Iterator[None]:
    """The toy projection with its partitioned tables."""
    execute(tallies.CREATE, prepare=False)
    tallies.Bug.number, tallies.Bug.factor = None, 1
    tallies.register()
    yield
    forget_projection(tallies.NAME)
    tallies.Bug.number, tallies.Bug.factor = None, 1
    execute(tallies.DROP, prepare=False)


@pytest.fixture
def time(toy: toys.Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[bank.Time]:
    """Circuits of this test alone, by a clock that it moves."""
    clock = bank.Time()
    mine = circuits.Circuits(LocalStore(clock))
    monkeypatch.setattr(circuits, "_circuits", lambda _pid: mine)
    monkeypatch.setattr(breaker, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(circuits.RNG, "uniform", lambda low, _high: low)
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, circuit=bank.POLICY))
    yield clock
    travel(0)
