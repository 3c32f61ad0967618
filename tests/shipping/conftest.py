"""Fixtures of the shipping tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shipping.carriers import use_carrier
from shipping.carriers.fake import FakeCarrier
from tests.conftest import Clock
from tests.shipping.dock import Dock


@pytest.fixture
def dock(clock: Clock) -> Iterator[Dock]:
    """An empty dock of a new shop, with a fake carrier."""
    carrier = FakeCarrier()
    use_carrier(carrier)
    yield Dock(clock, carrier)
    use_carrier(None)
