"""What a carrier says of an address is heard without the address."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sagas.verdicts import Done, Refused, Unavailable
from shipping.discretion import CarrierBroke, discreet, without

SHIP_TO = {"country": "DE", "name": "Ada Example", "street": "Long Road 17", "city": "Ulm", "region": ""}


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("no Long Road 17 in Ulm", "no … in …"),
        ("no LONG ROAD in this town", "no … … in this town"),
        ("Example, Ada: unknown", "…, …: unknown"),
        ("DE is not served", "DE is not served"),
        ("HTTP 422", "HTTP 422"),
    ],
)
def test_names_and_places_are_left_out_and_all_else_is_kept(said: str, heard: str) -> None:
    assert without(SHIP_TO, said) == heard


def test_nothing_known_leaves_everything_as_it_is() -> None:
    assert without({"country": "DE"}, "no Long Road") == "no Long Road"


def test_a_verdict_keeps_all_but_what_it_quotes() -> None:
    again = datetime(2026, 1, 5, tzinfo=UTC)

    with discreet(SHIP_TO) as said:
        later = said(Unavailable("shipping.busy", "busy in Ulm", retry_at=again))
        done = said(Done({"label": "Ulm"}))

    assert (later.code, later.detail, later.retry_at) == ("shipping.busy", "busy in …", again)
    assert str(later) == "shipping.busy: busy in …"
    assert done == Done({"label": "Ulm"})


def test_what_an_adapter_raises_loses_the_address_and_its_cause() -> None:
    with pytest.raises(CarrierBroke) as caught, discreet(SHIP_TO):
        raise ValueError("bad header: Ada Example")

    assert str(caught.value) == "ValueError: bad header: …"
    assert caught.value.__suppress_context__


def test_a_verdict_that_is_raised_stays_a_verdict() -> None:
    with pytest.raises(Refused) as caught, discreet(SHIP_TO):
        raise Refused("shipping.address_invalid", "Ulm?")

    assert caught.value == Refused("shipping.address_invalid", "…?")
