"""Correcting an address through the API: what is taken, what is too late, and that it is kept in one place only."""

from __future__ import annotations

from typing import Any

import pytest

from orders.models import Order, OrderView
from sagas.models import Saga, SagaStep, StoredEvent
from sagas.people import read_people
from sagas.personal import Person
from sagas.web.kept import KeptAnswer
from shipping.contract import BOOK_SHIPMENT
from tests.api.counter import Counter, an_order, problem
from tests.orders.read_side.taking_in import take_in_everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def where(counter: Counter) -> str:
    """An order that was just placed, and where its address is corrected."""
    return f"{counter.place(external_reference='W-1')['Location']}/address"


def address() -> dict[str, str]:
    person = Order.objects.get().person_id
    return read_people([person])[person].address


def asked(**row: Any) -> None:
    """The carrier was asked about the order, and it stands as the row says."""
    saga = Saga.objects.get()
    SagaStep.objects.create(
        saga=saga, name=BOOK_SHIPMENT, position=3, direction="do", key=saga.pk, **{"attempt": 1, **row}
    )


def test_parts_of_an_address_are_corrected_and_the_others_stay(counter: Counter, where: str) -> None:
    before = Order.objects.get().person_id

    answer = counter.patch(where, {"postcode": "20095", "city": "Hamburg", "reason": "a customer called"})

    order = Order.objects.get()
    assert answer.status_code == 202
    assert answer.json() == {"id": str(order.pk), "state": "draft", "asked_again": False}
    assert answer["Location"] == where.removesuffix("/address")
    assert address() == {"country": "DE", "street": "Long Road 1", "postcode": "20095", "city": "Hamburg"}
    assert order.person_id != before
    assert Saga.objects.get().context["person_id"] == str(order.person_id)
    told = StoredEvent.objects.get(type="orders.AddressCorrected")
    assert told.metadata["actor"] == f"shop:{counter.shop.slug}"
    assert told.metadata["reason"] == "a customer called"


def test_an_empty_text_takes_a_part_out(counter: Counter, where: str) -> None:
    counter.patch(where, {"street": ""})

    assert address() == {"country": "DE", "postcode": "10115", "city": "Berlin"}


@pytest.mark.parametrize(
    "emptied",
    [
        {"street": "", "postcode": "", "city": ""},
        {"street": "", "postcode": " ", "city": "", "name": "Ada Example", "phone": "030 1234"},
    ],
    ids=["every part", "all that says where"],
)
def test_a_correction_that_leaves_no_place_to_go_to_is_refused(
    counter: Counter, where: str, emptied: dict[str, str]
) -> None:
    before = Order.objects.get().person_id

    answer = counter.patch(where, emptied)

    order = Order.objects.get()
    assert problem(answer) == (422, "orders.address_empty")
    assert (order.person_id, order.version, Person.objects.count()) == (before, 1, 1)
    assert address()["city"] == "Berlin"


def test_nothing_of_the_address_is_kept_elsewhere(counter: Counter, where: str) -> None:
    counter.patch(where, {"street": "Kurfuerstendamm 9"})
    take_in_everything()

    kept = [
        list(model.objects.values()) for model in (StoredEvent, KeptAnswer, Saga, SagaStep, Order, OrderView)
    ]
    assert "Kurfuerstendamm" not in repr(kept)


def test_a_repeat_is_given_the_first_answer_and_corrects_once(counter: Counter, where: str) -> None:
    first, again = (counter.patch(where, {"city": "Hamburg"}, key="K") for _ in range(2))

    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert StoredEvent.objects.filter(type="orders.AddressCorrected").count() == 1


def test_the_order_is_still_the_same_one_when_it_is_placed_again(counter: Counter) -> None:
    document = an_order(external_reference="W-2")
    counter.patch(f"{counter.place(**document)['Location']}/address", {"city": "Hamburg"})

    (line,) = counter.bulk(document)

    assert (line["status"], line["existing"]) == (200, True)


def test_the_corrected_customer_is_found_by_their_reference(counter: Counter, where: str) -> None:
    counter.patch(where, {"city": "Hamburg"})

    found = counter.get("/api/v1/orders", {"customer": "C-1"}).json()

    assert [item["external_reference"] for item in found["items"]] == ["W-1"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"reason": "because"}, ""),
        ({"country": "FR"}, "/country"),
        ({"postcode": 10115}, "/postcode"),
        ({"street": "x" * 301}, "/street"),
        ({"city": "a\x00b"}, "/city"),
    ],
)
def test_what_is_no_correction_is_refused_and_changes_nothing(
    counter: Counter, where: str, body: dict[str, Any], pointer: str
) -> None:
    answer = counter.patch(where, body)

    assert problem(answer) == (422, "api.invalid")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert address()["city"] == "Berlin"
    assert Order.objects.get().version == 1


def test_an_order_of_another_shop_is_not_there(other: Counter, where: str) -> None:
    assert problem(other.patch(where, {"city": "Hamburg"})) == (404, "orders.not_found")
    nowhere = "/api/v1/orders/019a0000-0000-7000-8000-000000000000/address"
    assert problem(other.patch(nowhere, {"city": "Hamburg"})) == (404, "orders.not_found")
    assert address()["city"] == "Berlin"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"state": "done", "verdict": "done", "finished_at": "2026-01-05T09:00:00Z"}, "orders.address_fixed"),
        (
            {"state": "refused", "verdict": "refused", "finished_at": "2026-01-05T09:00:00Z"},
            "orders.address_fixed",
        ),
        ({"verdict": "unknown"}, "orders.address_in_use"),
        ({"lease_until": "2126-01-01T00:00:00Z"}, "orders.address_in_use"),
    ],
    ids=["bought", "refused", "unknown", "out"],
)
def test_what_comes_too_late_or_too_early_is_409_and_changes_nothing(
    counter: Counter, where: str, row: dict[str, Any], code: str
) -> None:
    asked(**row)

    assert problem(counter.patch(where, {"city": "Hamburg"})) == (409, code)
    assert address()["city"] == "Berlin"
    assert Order.objects.get().version == 1


@pytest.mark.parametrize(
    "state", ["confirmed", "cancelling", "cancelled", "rejected", "processing", "completed"]
)
def test_an_order_that_is_past_it_is_409(counter: Counter, where: str, state: str) -> None:
    Order.objects.update(state=state)

    assert problem(counter.patch(where, {"city": "Hamburg"})) == (409, "orders.address_fixed")


def test_a_step_that_was_put_off_asks_with_a_new_key(counter: Counter, where: str) -> None:
    asked(verdict="unavailable", wake_at="2126-01-01T00:00:00Z", tries=3)
    before = SagaStep.objects.get(name=BOOK_SHIPMENT)

    answer = counter.patch(where, {"city": "Hamburg"})

    after = SagaStep.objects.get(name=BOOK_SHIPMENT)
    assert answer.json()["asked_again"] is True
    assert after.key != before.key
    assert (after.intent_number, after.tries) == (2, 0)


def test_who_was_erased_has_no_address_to_correct(counter: Counter, where: str) -> None:
    Person.objects.update(
        reference="erased/x", erased_at="2026-01-05T09:00:00Z", address={}, name="", email=""
    )

    assert problem(counter.patch(where, {"city": "Hamburg"})) == (409, "orders.person_erased")


def test_it_is_a_fixed_number_of_statements(
    counter: Counter, where: str, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(26):
        counter.patch(where, {"city": "Hamburg"})
