"""Which gateway the settings name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from config.waybill import StripeSettings
from payments import gateways
from payments.gateways import get_gateway, use_gateway
from payments.gateways.fake import FakeGateway
from payments.gateways.sandbox import SandboxGateway
from payments.gateways.stripe import StripeGateway
from sagas.resilience.http import HttpClient
from sagas.verdicts import Unavailable


@pytest.fixture(autouse=True)
def as_the_settings_say() -> Iterator[None]:
    use_gateway(None)
    yield
    use_gateway(None)


def test_the_sandbox_is_the_gateway_and_stays_one_object() -> None:
    gateway = get_gateway()

    assert isinstance(gateway, SandboxGateway)
    assert get_gateway() is gateway


def test_stripe_is_the_gateway_when_it_is_chosen(settings: Any) -> None:
    account = StripeSettings(api_key="sk_test_1", api_base="http://127.0.0.1:1")
    settings.WAYBILL = replace(settings.WAYBILL, payment_gateway="stripe", stripe=account)

    gateway = get_gateway()

    assert isinstance(gateway, StripeGateway)
    assert get_gateway() is gateway
    assert isinstance(gateway.retrieve("pi_1"), Unavailable)  # it asks there, where nobody is


def test_threads_that_ask_at_once_get_one_gateway(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def made_slowly(*values: Any, **options: Any) -> HttpClient:
        time.sleep(0.05)
        return HttpClient(*values, **options)

    monkeypatch.setattr(gateways, "HttpClient", made_slowly)
    settings.WAYBILL = replace(settings.WAYBILL, call_timeout_seconds=3.25)

    with ThreadPoolExecutor(32) as pool:
        found = set(pool.map(lambda _: id(get_gateway()), range(200)))

    assert len(found) == 1


def test_a_name_nobody_knows_is_refused(settings: Any) -> None:
    settings.WAYBILL = replace(settings.WAYBILL, payment_gateway="abacus")

    with pytest.raises(ValueError, match=r"'abacus'\. Known: sandbox"):
        get_gateway()


def test_a_test_may_put_a_fake_in_its_place() -> None:
    fake = FakeGateway()

    use_gateway(fake)

    assert get_gateway() is fake
