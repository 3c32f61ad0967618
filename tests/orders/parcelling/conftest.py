"""A house to ship parcels from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from payments.gateways import use_gateway
from payments.gateways.fake import FakeGateway
from sagas.clock import travel
from shipping.carriers import use_carrier
from shipping.carriers.fake import FakeCarrier
from tests.orders.giving_back.house import House


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    """Every app at work on fakes of the gateway and the carrier."""
    gateway, carrier = FakeGateway(), FakeCarrier()
    use_gateway(gateway)
    use_carrier(carrier)
    travel(0)
    yield House(gateway, carrier)
    travel(0)
    use_gateway(None)
    use_carrier(None)
