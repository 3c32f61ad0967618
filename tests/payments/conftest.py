"""Fixtures of the payments tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from payments import gateways
from payments.gateways.fake import FakeGateway
from sagas.clock import travel
from tests.conftest import Clock
from tests.payments.letters import Postman, with_the_secret
from tests.payments.till import Till, wrong_books


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    """The gateway the steps talk to."""
    fake = FakeGateway()
    monkeypatch.setattr(gateways, "get_gateway", lambda: fake)
    return fake


@pytest.fixture
def till(db: None, gateway: FakeGateway, clock: Clock) -> Iterator[Till]:
    """A till whose books are checked after every test."""
    yield Till(gateway, clock)
    assert wrong_books() == []


@pytest.fixture
def postman(till: Till, settings: Any) -> Iterator[Postman]:
    """Who brings what the fake gateway tells unasked."""
    with_the_secret(settings)
    travel(0)
    yield Postman(till.gateway)
    travel(0)
