"""Which gateway the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from payments.gateways import get_gateway, use_gateway
from payments.gateways.fake import FakeGateway
from payments.gateways.sandbox import SandboxGateway


@pytest.fixture(autouse=True)
def as_the_settings_say() -> Iterator[None]:
    use_gateway(None)
    yield
    use_gateway(None)


def test_the_sandbox_is_the_gateway_and_stays_one_object() -> None:
    gateway = get_gateway()

    assert isinstance(gateway, SandboxGateway)
    assert get_gateway() is gateway


def test_a_name_nobody_knows_is_refused(settings: Any) -> None:
    settings.WAYBILL = replace(settings.WAYBILL, payment_gateway="abacus")

    with pytest.raises(ValueError, match=r"'abacus'\. Known: sandbox"):
        get_gateway()


def test_a_test_may_put_a_fake_in_its_place() -> None:
    fake = FakeGateway()

    use_gateway(fake)

    assert get_gateway() is fake
