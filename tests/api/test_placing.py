"""Placing orders over the API: what is taken, what is not, and that nothing is stored of what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.models import Order, OrderLine
from sagas.models import Saga, StoredEvent
from sagas.people import read_people
from sagas.web.kept import KeptAnswer
from tests.api.counter import ORDERS, Counter, an_order, problem

pytestmark = pytest.mark.django_db

LIMIT = 10**12


def nothing_stored() -> bool:
    return not any(model.objects.exists() for model in (Order, Saga, StoredEvent, KeptAnswer))


def test_an_order_is_taken_as_a_draft_and_its_saga_has_begun(counter: Counter) -> None:
    response = counter.place(external_reference="W-100")

    order = Order.objects.get()
    assert response.status_code == 202
    assert response.json() == {"id": str(order.pk), "external_reference": "W-100", "state": "draft"}
    assert response["Location"] == f"/api/v1/orders/{order.pk}"
    assert (order.shop_id, order.total_minor, order.country) == (counter.shop.pk, 2300, "DE")
    saga = Saga.objects.get()
    assert (saga.definition, saga.subject_id, saga.state) == ("orders.fulfil_order", order.pk, "pending")


def test_the_customer_and_the_address_are_kept_in_the_one_erasable_place(counter: Counter) -> None:
    counter.place()

    (person,) = read_people([Order.objects.get().person_id]).values()
    assert (person.name, person.email) == ("Ada Example", "ada@example.org")
    assert person.address == {
        "country": "DE", "street": "Long Road 1", "postcode": "10115", "city": "Berlin",
    }  # fmt: skip
    assert "Ada" not in str(list(StoredEvent.objects.values_list("data", flat=True)))
    assert "Ada" not in str(KeptAnswer.objects.get().body)


def test_the_order_can_be_read_back_with_its_lines(counter: Counter) -> None:
    where = counter.place(external_reference="W-100")["Location"]

    body = counter.get(where).json()

    assert (body["external_reference"], body["state"], body["total_minor"]) == ("W-100", "draft", 2300)
    assert [(line["sku"], line["quantity"], line["total_minor"]) for line in body["lines"]] == [
        ("MUG", 2, 1000),
        ("TEA", 1, 1000),
    ]
    assert body["charges"] == [{"kind": "shipping", "amount_minor": 300}]
    assert body["customer"] == {"reference": "C-1", "name": "Ada Example", "email": "ada@example.org"}
    assert "Long Road" not in str(body)


def test_an_order_without_a_reference_is_given_one(counter: Counter) -> None:
    document = an_order()
    del document["external_reference"]

    first, second = counter.post(ORDERS, document), counter.post(ORDERS, document)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["external_reference"] != second.json()["external_reference"]


@pytest.mark.parametrize("off_by", [-1, 1])
def test_a_total_that_is_one_minor_unit_off_is_refused_and_nothing_is_stored(
    counter: Counter, off_by: int
) -> None:
    response = counter.place(expected_total_minor=2300 + off_by)

    assert problem(response) == (422, "orders.total_mismatch")
    assert "2300" in response.json()["detail"]
    assert nothing_stored()


def test_a_refused_order_may_be_corrected_and_sent_again_under_its_key(counter: Counter) -> None:
    counter.place(key="K", expected_total_minor=1)

    response = counter.place(key="K")

    assert response.status_code == 202
    assert Order.objects.count() == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_line_amounts_sum_to_the_total_exactly_in_every_currency(counter: Counter, data: Any) -> None:
    amounts = st.integers(0, 10**9)
    lines = data.draw(
        st.lists(st.tuples(st.integers(1, 999), amounts, amounts, amounts), min_size=1, max_size=5)
    )
    documents = [
        {
            "sku": f"S{n}", "quantity": quantity, "unit_price_minor": price, "tax_minor": tax,
            "discount_minor": min(discount, quantity * price + tax),
        }
        for n, (quantity, price, tax, discount) in enumerate(lines)
    ]  # fmt: skip
    charge = data.draw(amounts)
    total = charge + sum(
        d["quantity"] * d["unit_price_minor"] + d["tax_minor"] - d["discount_minor"] for d in documents
    )
    currency = data.draw(st.sampled_from(["JPY", "EUR", "KWD"]))
    document = an_order(
        lines=documents,
        charges=[{"kind": "shipping", "amount_minor": charge}],
        currency=currency,
        expected_total_minor=total,
    )

    response = counter.post(ORDERS, document)
    mistaken = counter.post(ORDERS, an_order() | document | {"expected_total_minor": total + 1})

    assert response.status_code == 202, response.content
    order = Order.objects.get(pk=response.json()["id"])
    stored = OrderLine.objects.filter(order=order).values_list("total_minor", flat=True)
    assert sum(stored) + charge == order.total_minor == total
    assert problem(mistaken) == (422, "orders.total_mismatch")


@pytest.mark.parametrize("value", [-1, LIMIT + 1, 2**63, 10**400, 1.0, 1e2, "500", True, None, [], {}])
@pytest.mark.parametrize("field", ["unit_price_minor", "tax_minor", "discount_minor", "quantity"])
def test_an_amount_that_is_no_whole_number_in_bounds_is_refused(
    counter: Counter, field: str, value: Any
) -> None:
    line = {"sku": "MUG", "quantity": 1, "unit_price_minor": 500} | {field: value}

    response = counter.place(lines=[line], expected_total_minor=800)

    assert problem(response) == (422, "api.invalid")
    assert response.json()["errors"][0]["pointer"] == f"/lines/0/{field}"
    assert nothing_stored()


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity", b"1" * 5000, b"01", b"0x10"])
def test_what_is_no_number_in_json_is_refused(counter: Counter, word: bytes) -> None:
    response = counter.post(ORDERS, b'{"expected_total_minor": ' + word + b"}")

    assert problem(response) == (400, "api.malformed_json")
    assert nothing_stored()


def test_the_largest_order_is_taken_and_one_more_is_refused(counter: Counter) -> None:
    largest = {"sku": "SHIP", "quantity": 1000, "unit_price_minor": LIMIT}

    taken = counter.place(lines=[largest], charges=[], expected_total_minor=1000 * LIMIT)
    refused = counter.place(
        lines=[largest | {"quantity": 1001}], charges=[], expected_total_minor=1000 * LIMIT
    )

    assert taken.status_code == 202
    assert problem(refused) == (422, "orders.amount_invalid")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": "XXX"}, "orders.currency_unknown"),
        ({"placed_at": "9999-12-31T23:59:59Z"}, "orders.placed_at_invalid"),
        ({"placed_at": "1969-12-31T23:59:59Z"}, "orders.placed_at_invalid"),
        (
            {"lines": [{"sku": "V", "kind": "voucher", "quantity": 1, "unit_price_minor": 1}]},
            "orders.nothing_to_ship",
        ),
        ({"charges": [{"kind": "shipping", "amount_minor": -1}]}, "orders.amount_invalid"),
    ],
)
def test_what_orders_itself_refuses_keeps_its_code(
    counter: Counter, changes: dict[str, Any], code: str
) -> None:
    assert problem(counter.place(**changes)) == (422, code)
    assert nothing_stored()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"surprise": 1}, "/surprise"),
        ({"customer": {"name": "Ada", "vip": True}}, "/customer/vip"),
        (
            {"lines": [{"sku": "MUG", "quantity": 1, "unit_price_minor": 1, "colour": "red"}]},
            "/lines/0/colour",
        ),
        ({"ship_to": {"country": "DE", "planet": "Mars"}}, "/ship_to/planet"),
        ({"ship_to": {"country": "Germany"}}, "/ship_to/country"),
        ({"customer": {"name": "A\u0000da"}}, "/customer/name"),
        ({"customer": {"name": "Ada", "email": "no address"}}, "/customer/email"),
        ({"external_reference": 7}, "/external_reference"),
        ({"external_reference": "x" * 101}, "/external_reference"),
        ({"placed_at": "2026-01-05T09:00:00"}, "/placed_at"),
        ({"placed_at": "0001-01-01T00:00:00+14:00"}, "/placed_at"),
        ({"placed_at": 1767600000}, "/placed_at"),
        ({"lines": []}, "/lines"),
        ({"lines": "MUG"}, "/lines"),
    ],
)
def test_every_field_is_taken_strictly_and_named_when_it_is_wrong(
    counter: Counter, changes: dict[str, Any], pointer: str
) -> None:
    response = counter.place(**changes)

    assert problem(response) == (422, "api.invalid")
    assert pointer in [error["pointer"] for error in response.json()["errors"]]
    assert nothing_stored()


def test_a_shop_may_have_an_order_fulfilled_without_a_coordinator(counter: Counter) -> None:
    response = counter.place(fulfilment="choreography")

    order, saga = Order.objects.get(), Saga.objects.get()
    assert (response.status_code, response.json()["state"]) == (202, "pending")
    assert (order.fulfilment, order.state, order.lock_saga) == ("choreography", "pending", saga.pk)
    assert (saga.style, saga.state, saga.stage) == ("choreography", "running", 1)
    assert [e.type for e in StoredEvent.objects.order_by("version")] == [
        "orders.OrderPlaced",
        "orders.OrderAccepted",
    ]


def test_an_order_that_says_nothing_is_fulfilled_in_the_installations_own_style(
    counter: Counter, settings: Any
) -> None:
    settings.WAYBILL = replace(settings.WAYBILL, fulfilment_style="choreography")

    counter.place()
    counter.place(fulfilment="orchestration")

    assert list(Order.objects.order_by("id").values_list("fulfilment", flat=True)) == [
        "choreography",
        "orchestration",
    ]


def test_a_style_nobody_knows_is_refused(counter: Counter) -> None:
    response = counter.place(fulfilment="improvisation")

    assert (response.status_code, nothing_stored()) == (422, True)
