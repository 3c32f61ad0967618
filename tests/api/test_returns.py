"""Returns over the API: asked for once, received and inspected line by line, seen by their shop alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from orders.commands import create_token
from orders.models import Order, Return
from orders.returns.commands import UNEXPECTED
from payments.gateways import use_gateway
from payments.gateways.fake import FakeGateway
from sagas.clock import database_now, travel
from shipping.carriers import use_carrier
from shipping.carriers.fake import FakeCarrier
from tests.api.counter import ORDERS, Counter, problem
from tests.orders.giving_back.house import House
from tests.payments.test_races import at_once

DAY = 86_400


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
    """Three mugs and a tea, 20.00 GBP, with the carrier."""
    order = house.fulfilled(MUG=3, TEA=1)
    house.hand_over()
    return order


@pytest.fixture
def till(house: House, order: Order) -> Counter:
    """The shop whose order it is."""
    del order
    return Counter(house.shop, create_token(house.shop, name="till", now=database_now()))


def at(order: Order, back: str = "", act: str = "") -> str:
    """Where returns of an order are asked for, seen and acted on."""
    return "/".join(filter(None, [ORDERS, str(order.pk), "returns", back, act]))


def ask(till: Counter, order: Order, *, key: str = "", **body: Any) -> Any:
    return till.post(at(order), {"reason": "does not fit", **body}, key=key)


def piece(quantity: int, position: int = 1) -> dict[str, int]:
    return {"position": position, "quantity": quantity}


def receive(
    till: Counter, order: Order, back: str, *lines: dict[str, int], key: str = "", **body: Any
) -> Any:
    return till.post(at(order, back, "receive"), {"lines": list(lines), **body}, key=key)


def inspect(till: Counter, order: Order, back: str, *lines: dict[str, Any], key: str = "") -> Any:
    return till.post(at(order, back, "inspect"), {"lines": list(lines)}, key=key)


def test_a_return_is_asked_for_received_inspected_and_paid(house: House, order: Order, till: Counter) -> None:
    response = ask(till, order, lines=[piece(2)])
    asked = response.json()
    house.settle()
    came = receive(till, order, asked["id"], piece(2)).json()
    house.settle()
    assert house.refunded(order) == 0
    decided = inspect(
        till, order, asked["id"],
        {"position": 1, "accepted": 1, "rejected": 1, "reason": "worn"},
    ).json()  # fmt: skip
    house.settle()

    now = till.get(response["Location"]).json()
    assert (response.status_code, response["Location"]) == (201, at(order, asked["id"]))
    assert [d["state"] for d in (asked, came, decided, now)] == [
        "requested",
        "received",
        "inspected",
        "closed",
    ]
    assert now["lines"] == [
        {
            "position": 1, "sku": "MUG", "asked": 2, "received": 2, "accepted": 1, "rejected": 1, "restock": 1,
            "reject_reason": "worn",
        }
    ]  # fmt: skip
    assert (now["refund_minor"], now["credit_minor"], house.refunded(order)) == (500, 0, 500)
    assert house.on_shelf("MUG") == (1, 0)
    line = till.get(f"{ORDERS}/{order.pk}").json()["lines"][0]
    assert (line["returned_quantity"], line["cancelled_quantity"]) == (1, 0)


def test_without_lines_everything_that_is_left_is_meant(order: Order, till: Counter) -> None:
    ask(till, order, lines=[{"sku": "MUG", "quantity": 1}])

    rest = ask(till, order).json()

    assert rest["number"] == 2
    assert [(line["sku"], line["asked"]) for line in rest["lines"]] == [("MUG", 2), ("TEA", 1)]
    assert problem(ask(till, order)) == (409, "orders.nothing_to_return")


def test_a_repeat_under_one_key_is_one_return_and_one_decision(
    house: House, order: Order, till: Counter
) -> None:
    keys = [str(uuid4()) for _ in range(3)]
    bodies = [ask(till, order, key=keys[0], lines=[piece(1)]) for _ in range(2)]
    back = bodies[0].json()["id"]
    bodies += [receive(till, order, back, piece(1), key=keys[1]) for _ in range(2)]
    bodies += [inspect(till, order, back, {"position": 1, "accepted": 1}, key=keys[2]) for _ in range(2)]
    house.settle()

    for first, again in zip(bodies[::2], bodies[1::2], strict=True):
        assert again["Idempotency-Replayed"] == "true"
        assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert (Return.objects.count(), house.refunded(order)) == (1, 500)


def test_said_again_under_another_key_changes_nothing_and_otherwise_is_refused(
    house: House, order: Order, till: Counter
) -> None:
    back = ask(till, order, lines=[piece(2)]).json()["id"]

    assert [receive(till, order, back, piece(n)).status_code for n in (2, 2, 1)] == [200, 200, 409]
    yes, no = {"position": 1, "accepted": 2}, {"position": 1, "accepted": 0, "rejected": 2, "reason": "worn"}
    assert [inspect(till, order, back, said).status_code for said in (yes, yes, no)] == [200, 200, 409]
    house.settle()

    assert problem(inspect(till, order, back, no)) == (409, "orders.return_moved")
    assert house.refunded(order) == 1000


def test_f55_a_piece_is_asked_for_once(order: Order, till: Counter) -> None:
    ask(till, order, lines=[piece(2)])

    response = ask(till, order, lines=[piece(2)])

    assert problem(response) == (409, "orders.return_spoken_for")
    assert Return.objects.count() == 1


def test_f55_other_goods_are_written_down_and_never_paid(house: House, order: Order, till: Counter) -> None:
    back = ask(till, order, lines=[piece(1)]).json()["id"]

    came = receive(till, order, back, unexpected=[{"sku": "SHOE", "quantity": 1}]).json()
    inspect(till, order, back)
    house.settle()

    order.refresh_from_db()
    assert came["unexpected"] == [{"sku": "SHOE", "quantity": 1}]
    assert (order.needs_attention, order.attention_reason) == (True, UNEXPECTED)
    assert till.get(at(order, back)).json()["state"] == "closed"
    assert house.refunded(order) == 0


def test_f55_too_late_is_refused(house: House, order: Order, till: Counter) -> None:
    house.deliver()
    travel(31 * DAY)

    assert problem(ask(till, order, lines=[piece(1)])) == (409, "orders.return_too_late")


def test_what_has_not_left_cannot_come_back(house: House, order: Order, till: Counter) -> None:
    other = house.fulfilled("A-2", MUG=1)

    assert problem(ask(till, other, lines=[piece(1)])) == (409, "orders.not_handed_over")


def test_a_withdrawn_return_frees_its_pieces_until_the_goods_came(order: Order, till: Counter) -> None:
    back = ask(till, order).json()["id"]

    gone = till.post(at(order, back, "withdraw"), {"reason": "keeps it"}).json()
    again = ask(till, order).json()["id"]
    receive(till, order, again, piece(1))

    assert (gone["state"], gone["end_code"]) == ("withdrawn", "orders.return_withdrawn")
    refused = till.post(at(order, again, "withdraw"), {"reason": "keeps it"})
    assert problem(refused) == (409, "orders.return_moved")
    assert problem(receive(till, order, back, piece(1))) == (409, "orders.return_moved")


def test_all_returns_of_an_order_are_listed(order: Order, till: Counter) -> None:
    assert till.get(at(order)).json() == {"items": []}
    asked = [ask(till, order, lines=[piece(1)]).json()["id"] for _ in range(2)]

    assert [item["id"] for item in till.get(at(order)).json()["items"]] == asked


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": ""}, "/reason"),
        ({"lines": []}, "/lines"),
        ({"lines": [{"quantity": 1}]}, "/lines/0/position"),
        ({"lines": [{"position": 1, "sku": "MUG", "quantity": 1}]}, "/lines/0/position"),
        ({"lines": [piece(0)]}, "/lines/0/quantity"),
        ({"even_late": True}, "/even_late"),
    ],
)
def test_a_wish_that_is_not_as_described_is_named(
    order: Order, till: Counter, body: dict[str, Any], pointer: str
) -> None:
    response = ask(till, order, **body)

    assert problem(response) == (422, "api.invalid")
    assert pointer in {error["pointer"] for error in response.json()["errors"]}
    assert Return.objects.count() == 0


def test_lines_that_do_not_fit_are_refused(order: Order, till: Counter) -> None:
    assert problem(ask(till, order, lines=[piece(1, position=9)])) == (422, "orders.return_invalid")
    back = ask(till, order, lines=[piece(2)]).json()["id"]

    assert problem(receive(till, order, back, piece(1, position=9))) == (422, "orders.return_invalid")
    assert problem(receive(till, order, back, piece(0))) == (422, "orders.return_invalid")
    twice = receive(till, order, back, piece(1), piece(1))
    assert problem(twice) == (422, "api.invalid")
    receive(till, order, back, piece(2))
    assert problem(inspect(till, order, back, {"position": 1, "accepted": 1})) == (
        422,
        "orders.return_invalid",
    )
    unsaid = inspect(till, order, back, {"position": 1, "accepted": 1, "rejected": 1})
    assert problem(unsaid) == (422, "orders.return_invalid")
    assert Return.objects.get().state == "received"


def test_another_shop_finds_nothing(order: Order, till: Counter) -> None:
    back = ask(till, order).json()["id"]
    stranger = Counter.open("Other Shop")

    assert problem(ask(stranger, order)) == (404, "orders.not_found")
    assert problem(stranger.get(at(order))) == (404, "api.not_found")
    assert problem(stranger.get(at(order, back))) == (404, "api.not_found")
    assert problem(receive(stranger, order, back, piece(1))) == (404, "orders.return_not_found")
    assert problem(inspect(stranger, order, back)) == (404, "orders.return_not_found")
    taken = stranger.post(at(order, back, "withdraw"), {"reason": "x"})
    assert problem(taken) == (404, "orders.return_not_found")
    assert Return.objects.get().state == "requested"


def test_a_return_is_found_under_its_own_order_alone(house: House, order: Order, till: Counter) -> None:
    back = ask(till, order).json()["id"]
    other = house.fulfilled("A-2", MUG=1)

    assert problem(till.get(at(other, back))) == (404, "api.not_found")
    assert problem(till.get(at(order, str(uuid4())))) == (404, "api.not_found")
    assert problem(receive(till, other, back, piece(1))) == (404, "orders.return_not_found")


@pytest.mark.parametrize("act", ["", "receive", "inspect", "withdraw"])
def test_every_act_needs_a_key(order: Order, till: Counter, act: str) -> None:
    back = ask(till, order).json()["id"] if act else ""

    response = till.post(at(order, back, act), {"reason": "x"}, key=None)

    assert problem(response) == (400, "api.idempotency_key_missing")


def test_f50_a_cancel_after_the_hand_over_is_answered_with_one_return(
    house: House, order: Order, till: Counter
) -> None:
    answers = [till.post(f"{ORDERS}/{order.pk}/cancel", {"reason": "too late"}) for _ in range(2)]
    house.settle()

    back = Return.objects.get()
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json() == {
        "id": str(order.pk), "state": "processing", "saga_id": str(back.saga_id), "return_id": str(back.pk),
    }  # fmt: skip
    seen = till.get(at(order, str(back.pk))).json()
    assert (seen["origin"], seen["state"]) == ("cancellation", "requested")
    assert (house.state(order), house.refunded(order)) == ("processing", 0)


def test_f50_a_cancel_after_the_hand_over_needs_the_version_that_was_seen(
    order: Order, till: Counter
) -> None:
    response = till.post(f"{ORDERS}/{order.pk}/cancel", {"reason": "late"}, **{"If-Match": '"1"'})

    assert problem(response) == (412, "orders.version_moved")
    assert Return.objects.count() == 0


@pytest.mark.parametrize("_", range(3))
def test_f55_of_two_clients_who_receive_at_once_one_gets_409(
    house: House, order: Order, till: Counter, _: int
) -> None:
    back = ask(till, order, lines=[piece(2)]).json()["id"]

    def said(pieces: int) -> int:
        try:
            status: int = receive(till, order, back, piece(pieces)).status_code
            return status
        finally:
            connection.close()

    answers = at_once(lambda: said(1), lambda: said(2))
    house.settle()

    assert sorted(answers) == [200, 409]
    assert Return.objects.get().lines.get().received == 1 + answers.index(200)
