"""Fixtures of the scenarios."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from payments.gateways import use_gateway
from payments.gateways.fake import FakeGateway
from sagas.clock import travel
from shipping.carriers import use_carrier
from shipping.carriers.fake import FakeCarrier
from tests.scenarios.fulfilment import fulfilment, sandbox
from tests.scenarios.house import House
from tests.scenarios.returning import desk

__all__ = ["desk", "fulfilment", "house", "sandbox"]


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    """A shop in business, with fake providers."""
    travel(0)
    gateway, carrier = FakeGateway(), FakeCarrier()
    use_gateway(gateway)
    use_carrier(carrier)
    yield House(gateway, carrier)
    use_gateway(None)
    use_carrier(None)
    travel(0)
