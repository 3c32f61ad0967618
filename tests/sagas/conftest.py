"""Fixtures of the engine's tests: a clean script for the toys, real transactions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sagas.clock import travel
from sagas.engine import batch
from tests.sagas import toys


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
