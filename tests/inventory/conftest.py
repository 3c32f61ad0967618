"""Fixtures of the inventory tests."""

from __future__ import annotations

import pytest

from tests.conftest import Clock
from tests.inventory.warehouse import Warehouse


@pytest.fixture
def warehouse(clock: Clock) -> Warehouse:
    """An empty warehouse of a new shop."""
    return Warehouse(clock)
