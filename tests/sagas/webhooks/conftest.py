"""Webhooks may go to this machine, by http, in these tests only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from django.conf import settings

from tests.sagas.webhooks.post import Shop
from tests.sagas.webhooks.receiver import Receiver, close_all


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a developer."""
    allowed = replace(
        settings.WAYBILL, webhook_http=True, webhook_ports=("any",), webhook_inside=("127.0.0.0/8",),
        webhook_timeout_seconds=1.0, webhook_keys=("a key for tests",),
    )  # fmt: skip
    monkeypatch.setattr(settings, "WAYBILL", allowed)


@pytest.fixture
def receivers(inside: None) -> Iterator[Callable[[], Receiver]]:
    """Servers of shops, as many as a test asks for."""
    made: list[Receiver] = []

    def make() -> Receiver:
        made.append(Receiver())
        return made[-1]

    yield make
    close_all(made)


@pytest.fixture
def receiver(receivers: Callable[[], Receiver]) -> Receiver:
    """One of them."""
    return receivers()


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    """A shop without endpoints."""
    return Shop()
