"""Which carrier the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shipping.carriers import get_carrier, use_carrier
from shipping.carriers.fake import FakeCarrier
from shipping.carriers.http import HttpCarrier


@pytest.fixture(autouse=True)
def as_the_settings_say() -> Iterator[None]:
    use_carrier(None)
    yield
    use_carrier(None)


def test_the_sandbox_is_the_carrier_and_stays_one_object() -> None:
    carrier = get_carrier()

    assert isinstance(carrier, HttpCarrier)
    assert get_carrier() is carrier


def test_a_name_nobody_knows_is_refused(settings: Any) -> None:
    settings.WAYBILL = replace(settings.WAYBILL, carrier="abacus")

    with pytest.raises(ValueError, match=r"'abacus'\. Known: sandbox"):
        get_carrier()


def test_a_test_may_put_a_fake_in_its_place() -> None:
    fake = FakeCarrier()

    use_carrier(fake)

    assert get_carrier() is fake
