"""Fixtures of reconciliation."""

from __future__ import annotations

import pytest

from payments import gateways
from tests.conftest import Clock
from tests.payments.reconciliation.desk import Desk, TamperedGateway
from tests.payments.till import Till


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> TamperedGateway:
    """The gateway the steps talk to."""
    fake = TamperedGateway()
    monkeypatch.setattr(gateways, "get_gateway", lambda: fake)
    return fake


@pytest.fixture
def desk(till: Till, gateway: TamperedGateway, clock: Clock) -> Desk:
    """Where books are compared."""
    return Desk(till, gateway, clock)
