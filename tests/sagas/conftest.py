"""Fixtures of the engine's tests: a clean script for the toys, real transactions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sagas import toys


@pytest.fixture
def toy(transactional_db: None) -> Iterator[toys.Script]:
    """The script of the toy steps, empty before and after."""
    toys.script.clear()
    toys.late_cancels.clear()
    toys.parked.clear()
    yield toys.script
    toys.script.clear()
