"""Parcels over the API: asked for once, no piece in two of them, seen by their shop alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from orders import commands
from orders.commands import create_token
from orders.models import FulfilmentOrder, Order, Shop
from orders.parcelling.commands import ask_parcel
from payments.gateways import use_gateway
from payments.gateways.fake import FakeGateway
from sagas.clock import database_now, travel
from sagas.ids import uuid7
from sagas.log import read
from shipping.carriers import use_carrier
from shipping.carriers.fake import FakeCarrier
from tests.api.counter import ORDERS, Counter, problem
from tests.orders.factories import a_line, a_shop, an_order
from tests.orders.giving_back.house import House
from tests.payments.test_races import at_once


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


@pytest.fixture
def order(house: House) -> Order:
    """Two mugs of 5.00 and a tea of 5.00 in parcels, confirmed."""
    house.stock(MUG=5, TEA=5)
    lines = [a_line(sku="MUG", quantity=2), a_line(sku="TEA", quantity=1)]
    sent = an_order(shop_id=house.shop.pk, lines=lines, charges=[], ship_in_parcels=True)
    placed = commands.place_order(sent, now=database_now())
    house.settle()
    return Order.objects.get(pk=placed.order_id)


@pytest.fixture
def till(house: House) -> Counter:
    """The shop whose order it is."""
    return till_of(house.shop)


def till_of(shop: Shop) -> Counter:
    return Counter(shop, create_token(shop, name="till", now=database_now()))


def parcels(order: Order, parcel: str = "") -> str:
    """Where parcels of an order are asked for and seen."""
    return f"{ORDERS}/{order.pk}/fulfilments" + (f"/{parcel}" if parcel else "")


def lines(**positions: int) -> list[dict[str, int]]:
    return [{"position": int(name[1:]), "quantity": n} for name, n in positions.items()]


def test_a_parcel_is_taken_and_then_ready(house: House, order: Order, till: Counter) -> None:
    response = till.post(parcels(order), {"lines": lines(_1=1)})
    house.settle()

    taken, now = response.json(), till.get(response["Location"]).json()
    assert response.status_code == 202
    assert response["Location"] == parcels(order, taken["id"])
    assert (taken["number"], taken["state"], taken["share_minor"]) == (1, "claimed", 500)
    assert taken["lines"] == [{"position": 1, "sku": "MUG", "kind": "goods", "quantity": 1}]
    assert (now["state"], now["code"]) == ("ready", "")
    assert now["ready_at"] is not None


def test_without_lines_everything_that_is_free_goes(house: House, order: Order, till: Counter) -> None:
    till.post(parcels(order), {"lines": lines(_1=1)})
    house.settle()
    till.post(parcels(order), {})
    house.settle()

    items = till.get(parcels(order)).json()["items"]

    assert [(one["number"], one["state"], one["share_minor"]) for one in items] == [
        (1, "ready", 500), (2, "ready", 1000),
    ]  # fmt: skip


def test_one_key_asks_for_one_parcel(order: Order, till: Counter) -> None:
    first = till.post(parcels(order), {"lines": lines(_1=1)}, key="K-1")
    again = till.post(parcels(order), {"lines": lines(_1=1)}, key="K-1")

    assert first.json() == again.json()
    assert FulfilmentOrder.objects.count() == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (lines(_1=3), "orders.pieces_taken"),
        (lines(_7=1), "orders.pieces_taken"),
        (lines(_2=1), "orders.pieces_taken"),
    ],
)
def test_pieces_that_are_not_free_are_refused(order: Order, till: Counter, asked: Any, code: str) -> None:
    till.post(parcels(order), {"lines": lines(_2=1)})

    response = till.post(parcels(order), {"lines": asked})

    assert problem(response) == (409, code)
    assert FulfilmentOrder.objects.count() == 1


def test_once_everything_is_in_a_parcel_nothing_is_free(order: Order, till: Counter) -> None:
    till.post(parcels(order), {})

    assert problem(till.post(parcels(order), {})) == (409, "orders.nothing_free")


def test_an_order_that_is_shipped_whole_has_no_parcels(house: House, till: Counter) -> None:
    whole = house.fulfilled(MUG=1)

    assert problem(till.post(parcels(whole), {})) == (409, "orders.not_in_parcels")
    assert till.get(parcels(whole)).json() == {"items": []}


def test_a_line_named_twice_is_not_understood(order: Order, till: Counter) -> None:
    response = till.post(parcels(order), {"lines": [*lines(_1=1), *lines(_1=1)]})

    assert response.status_code == 422
    assert FulfilmentOrder.objects.count() == 0


def test_another_shop_sees_nothing_and_asks_for_nothing(order: Order, till: Counter) -> None:
    parcel = till.post(parcels(order), {"lines": lines(_1=1)}).json()
    other = till_of(a_shop())

    assert problem(other.get(parcels(order))) == (404, "api.not_found")
    assert problem(other.get(parcels(order, parcel["id"]))) == (404, "api.not_found")
    assert other.post(parcels(order), {}).status_code == 404
    assert problem(till.get(parcels(order, str(uuid7())))) == (404, "api.not_found")


def test_f28_of_two_parcels_that_want_the_last_piece_at_once_one_has_it(house: House, order: Order) -> None:
    def ask() -> object:
        try:
            return ask_parcel(order.pk, {2: 1}, actor="ada", reason="it is here", now=database_now())
        except Exception as refused:  # noqa: BLE001 - what it was is looked at below
            return refused

    answers = at_once(ask, ask)
    house.settle()

    assert sorted(type(one).__name__ for one in answers) == ["FulfilmentOrder", "PiecesTaken"]
    assert list(FulfilmentOrder.objects.values_list("state", "share_minor")) == [("ready", 500)]


def test_a_parcel_is_cancelled_and_its_share_goes_back(house: House, order: Order, till: Counter) -> None:
    parcel = till.post(parcels(order), {"lines": lines(_1=1)}).json()["id"]
    house.settle()

    response = till.post(f"{parcels(order, parcel)}/cancel", {"reason": "out of fashion"})
    house.settle()

    now = till.get(response["Location"]).json()
    assert response.status_code == 202
    assert response.json()["id"] == parcel
    assert now["state"] == "cancelled"
    assert house.refunded(order) == 500
    asked = read(UUID(parcel))[2]
    assert asked.type == "orders.ParcelCancelAsked"
    assert (asked.metadata["actor"], asked.metadata["reason"]) == (
        f"shop:{house.shop.slug}",
        "out of fashion",
    )


def test_a_parcel_that_ended_or_has_just_begun_is_not_cancelled(
    house: House, order: Order, till: Counter
) -> None:
    parcel = till.post(parcels(order), {"lines": lines(_1=1)}).json()["id"]

    early = till.post(f"{parcels(order, parcel)}/cancel", {})
    house.settle()
    till.post(f"{parcels(order, parcel)}/cancel", {})
    house.settle()
    late = till.post(f"{parcels(order, parcel)}/cancel", {})

    assert problem(early) == (409, "orders.parcel_under_way")
    assert problem(late) == (409, "orders.parcel_ended")


def test_a_parcel_of_another_shop_or_order_is_not_there(house: House, order: Order, till: Counter) -> None:
    parcel = till.post(parcels(order), {}).json()["id"]
    house.settle()
    stranger = till_of(a_shop())

    answers = [
        stranger.post(f"{parcels(order, parcel)}/cancel", {}),
        till.post(f"{parcels(order, str(uuid7()))}/cancel", {}),
    ]

    assert [problem(answer) for answer in answers] == [(404, "orders.not_found"), (404, "api.not_found")]
    assert FulfilmentOrder.objects.get().state == "ready"


def test_cancelling_the_order_cancels_all_that_has_not_left(
    house: House, order: Order, till: Counter
) -> None:
    till.post(parcels(order), {"lines": lines(_1=1)})
    house.settle()

    response = till.post(f"{ORDERS}/{order.pk}/cancel", {})
    house.settle()

    order.refresh_from_db()
    items = till.get(parcels(order)).json()["items"]
    assert response.status_code == 202
    assert order.state == "cancelled"
    assert [(one["state"], one["share_minor"]) for one in items] == [("cancelled", 500), ("cancelled", 1000)]


def test_an_order_tells_whether_parcels_are_asked_for(till: Counter, house: House, order: Order) -> None:
    whole = commands.place_order(an_order(shop_id=house.shop.pk), now=database_now())
    house.settle()

    assert till.get(f"{ORDERS}/{order.pk}").json()["ship_in_parcels"] is True
    assert till.get(f"{ORDERS}/{whole.order_id}").json()["ship_in_parcels"] is False
