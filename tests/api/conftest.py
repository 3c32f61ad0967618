"""Fixtures of the API's tests."""

from __future__ import annotations

import pytest

from tests.api.counter import Counter


@pytest.fixture
def counter(db: None) -> Counter:
    """A shop at the API."""
    return Counter.open("First Shop")


@pytest.fixture
def other(db: None) -> Counter:
    """Another shop, which must see nothing of the first."""
    return Counter.open("Other Shop")
