"""Which carrier the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config import env
from config.waybill import CarrierSettings, WaybillSettings
from shipping.carriers import get_carrier, use_carrier
from shipping.carriers.base import ShipmentPage
from shipping.carriers.fake import FakeCarrier
from shipping.carriers.http import HttpCarrier
from tests.sandbox_process import running_sandbox


@pytest.fixture(autouse=True)
def as_the_settings_say() -> Iterator[None]:
    use_carrier(None)
    yield
    use_carrier(None)


def test_the_sandbox_is_the_carrier_and_stays_one_object() -> None:
    carrier = get_carrier()

    assert isinstance(carrier, HttpCarrier)
    assert get_carrier() is carrier


def test_a_name_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARRIER", "abacus")

    with pytest.raises(env.BadEnvironment, match="CARRIER must be one of sandbox, http"):
        WaybillSettings.from_environment()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "CARRIER_URL must be set"),
        ({"CARRIER_URL": "ftp://carrier.example"}, "CARRIER_URL must be an http address"),
        ({"CARRIER_URL": "https://carrier.example"}, "CARRIER_TOKEN must be set"),
    ],
)
def test_a_carrier_without_an_account_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], problem: str
) -> None:
    for name, value in {"CARRIER": "http", **given}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(env.BadEnvironment, match=problem):
        WaybillSettings.from_environment()


def test_a_carrier_is_called_at_its_address_with_its_token(settings: Any, tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--profile", "quiet") as sandbox:
        account = CarrierSettings(url=sandbox.url, token="the-secret-one")
        settings.WAYBILL = replace(settings.WAYBILL, carrier="http", carrier_account=account)

        page = get_carrier().list_shipments()

    assert page == ShipmentPage((), None)
    assert "the-secret-one" not in repr(settings.WAYBILL)


def test_a_test_may_put_a_fake_in_its_place() -> None:
    fake = FakeCarrier()

    use_carrier(fake)

    assert get_carrier() is fake
