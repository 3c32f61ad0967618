"""Reading over the API: pages that stay true, filters, and a number of queries that does not grow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import pytest

from orders.models import Order
from sagas.ids import uuid7
from sagas.models import Saga
from sagas.personal import Person
from tests.api.counter import MOVEMENTS, ORDERS, SAGAS, STOCK, Counter, problem
from tests.orders.read_side.taking_in import take_in_everything

pytestmark = pytest.mark.django_db

CountQueries = Callable[[int], AbstractContextManager[Any]]


def place(counter: Counter, *references: str) -> None:
    for reference in references:
        assert counter.place(external_reference=reference).status_code == 202


def pages(
    counter: Counter, path: str, field: str, between: Callable[[], None], **query: Any
) -> list[list[str]]:
    """All pages of a list; `between` runs after each."""
    found = []
    while True:
        body = counter.get(path, query).json()
        found.append([item[field] for item in body["items"]])
        if body["next_cursor"] is None:
            return found
        query["cursor"] = body["next_cursor"]
        between()


def test_pages_of_orders_neither_repeat_nor_hide_one_while_new_orders_come_in(counter: Counter) -> None:
    place(counter, "A", "B", "C", "D", "E")

    found = pages(counter, ORDERS, "external_reference", lambda: place(counter, str(uuid7())), limit=2)

    assert found == [["E", "D"], ["C", "B"], ["A"]]


def test_pages_of_sagas_neither_repeat_nor_hide_one_while_new_sagas_begin(counter: Counter) -> None:
    place(counter, "A", "B", "C")

    found = pages(counter, SAGAS, "reference", lambda: place(counter, str(uuid7())), limit=2)

    assert found == [["C", "B"], ["A"]]


def test_pages_of_stock_neither_repeat_nor_hide_a_sku_while_new_ones_come_in(counter: Counter) -> None:
    def receive(*skus: str) -> None:
        counter.move(*({"key": s, "sku": s, "kind": "receipt", "quantity": 1} for s in skus))

    receive("B", "D", "F")

    found = pages(counter, STOCK, "sku", lambda: receive("A", "E"), limit=2)

    assert found == [["B", "D"], ["E", "F"]]


def test_the_link_header_leads_to_the_next_page_with_the_same_filters(counter: Counter) -> None:
    place(counter, "A", "B")
    first = counter.get(ORDERS, {"limit": 1, "state": "draft"})

    address = first["Link"].removeprefix("<").removesuffix('>; rel="next"')
    second = counter.get(address)

    assert [item["external_reference"] for item in second.json()["items"]] == ["A"]
    assert not second.has_header("Link")


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        (ORDERS, {"state": "draft"}, 2),
        (ORDERS, {"state": "completed"}, 0),
        (ORDERS, {"external_reference": "A"}, 1),
        (SAGAS, {"state": "pending"}, 2),
        (SAGAS, {"state": "completed"}, 0),
        (SAGAS, {"reference": "A"}, 1),
        (SAGAS, {"definition": "orders.fulfil_order"}, 2),
        (SAGAS, {"step": "orders.place_order"}, 2),
        (SAGAS, {"step": "payments.authorize_payment"}, 0),
        (SAGAS, {"failure": "payments.declined"}, 0),
        (SAGAS, {"hold": "parked"}, 0),
        (STOCK, {"sku": ["MUG", "TEA"]}, 2),
        (STOCK, {"sku": "MUG"}, 1),
        (STOCK, {"location": "main"}, 3),
        (STOCK, {"location": "elsewhere"}, 0),
    ],
)
def test_lists_are_filtered(counter: Counter, path: str, query: dict[str, Any], found: int) -> None:
    place(counter, "A", "B")
    counter.move(*({"key": s, "sku": s, "kind": "receipt", "quantity": 1} for s in ("MUG", "TEA", "PEN")))

    assert len(counter.get(path, query).json()["items"]) == found


@pytest.mark.parametrize(
    "query",
    [{"colour": "red"}, {"limit": 0}, {"limit": 201}, {"limit": "many"}, {"limit": [1, 2]}, {"limit": ""}],
)
@pytest.mark.parametrize("path", [ORDERS, SAGAS, STOCK])
def test_a_parameter_that_is_not_described_is_refused(
    counter: Counter, path: str, query: dict[str, Any]
) -> None:
    assert problem(counter.get(path, query)) == (422, "api.invalid")


@pytest.mark.parametrize(
    "cursor", ["x", "é", "WyJ4Il0", "WzFd", "W10", "IlwwIg", "WyJcdWQ4MDAiLCAiYSJd", "e30" * 100]
)
@pytest.mark.parametrize("path", [ORDERS, SAGAS, STOCK])
def test_a_cursor_we_have_not_made_is_refused(counter: Counter, path: str, cursor: str) -> None:
    assert problem(counter.get(path, {"cursor": cursor})) == (400, "api.cursor_invalid")


@pytest.mark.parametrize(("path", "queries"), [(ORDERS, 3), (SAGAS, 2), (STOCK, 2)])
def test_a_list_takes_the_same_queries_for_one_item_and_for_many(
    counter: Counter, django_assert_num_queries: CountQueries, path: str, queries: int
) -> None:
    def one_more(name: str) -> None:
        place(counter, name)
        counter.move({"key": name, "sku": name, "kind": "receipt", "quantity": 1})
        take_in_everything()

    one_more("A")
    with django_assert_num_queries(queries):
        assert len(counter.get_now(path).json()["items"]) == 1
    for name in "BCDEFG":
        one_more(name)
    with django_assert_num_queries(queries):
        assert len(counter.get_now(path).json()["items"]) == 7


def test_one_order_takes_four_queries_and_one_saga_three(
    counter: Counter, django_assert_num_queries: CountQueries
) -> None:
    where = counter.place()["Location"]
    saga = Saga.objects.get()
    take_in_everything()

    with django_assert_num_queries(4):
        counter.get_now(where)
    with django_assert_num_queries(3):
        counter.get_now(f"{SAGAS}/{saga.pk}")


def test_movements_take_the_same_queries_for_one_line_and_for_a_hundred(
    counter: Counter, django_assert_max_num_queries: CountQueries
) -> None:
    lines = [{"key": f"K{n}", "sku": f"S{n}", "kind": "receipt", "quantity": 1} for n in range(100)]

    with django_assert_max_num_queries(20):
        assert len(counter.move(*lines)) == 100


def test_a_saga_tells_its_story_and_its_steps(counter: Counter) -> None:
    counter.place(external_reference="W-1")
    saga = Saga.objects.get()

    body = counter.get(f"{SAGAS}/{saga.pk}").json()

    assert (body["reference"], body["state"], body["hold"]) == ("W-1", "pending", "none")
    assert body["story"] == ["place_order: due"]
    (step,) = body["steps"]
    assert (step["name"], step["direction"], step["state"]) == ("orders.place_order", "do", "due")
    assert not {"memo", "result", "detail", "worker", "context"} & (set(step) | set(body))


def test_an_order_that_has_not_changed_is_not_sent_again(counter: Counter) -> None:
    where = counter.place()["Location"]
    tag = counter.get(where)["ETag"]

    unchanged = counter.get(where, **{"If-None-Match": tag})
    counter.post(f"{where}/cancel")
    changed = counter.get(where, **{"If-None-Match": tag})

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert (changed.status_code, changed.json()["state"]) == (200, "cancelled")


def test_an_order_is_sent_again_when_only_its_customer_was_erased(counter: Counter) -> None:
    where = counter.place()["Location"]
    tag = counter.get(where)["ETag"]
    Person.objects.update(name="", email="")

    changed = counter.get(where, **{"If-None-Match": tag})

    assert changed.status_code == 200
    assert changed.json()["customer"] == {"reference": "C-1", "name": "", "email": ""}


def test_the_api_finds_orders_by_what_is_searched_for(counter: Counter) -> None:
    place(counter, "W-1", "W-12", "X-1")

    def found(**query: Any) -> list[str]:
        return [item["external_reference"] for item in counter.get(ORDERS, query).json()["items"]]

    assert found(search="W-1") == ["W-1", "W-12"]
    assert found(search="ADA@example.org") == ["X-1", "W-12", "W-1"]
    assert found(email="ada@example.org", state=["draft", "pending"], sku="MUG") == ["X-1", "W-12", "W-1"]
    assert found(customer="C-1", placed_from="2026-01-05T08:00:00Z", total_to=2299) == []
    assert found(country="FR") == []
    assert found(needs_attention="true") == []


@pytest.mark.parametrize(
    "query",
    [
        {"state": "sold"}, {"placed_from": "2026-01-05"}, {"country": "de"}, {"total_from": -1}, {"total_to": "x"},
        {"needs_attention": "maybe"}, {"email": "ada"}, {"person_id": "C-1"},
        {"search": "W", "email": "ada@example.org"},
    ],
)  # fmt: skip
def test_a_filter_that_is_not_as_described_is_refused(counter: Counter, query: dict[str, Any]) -> None:
    assert problem(counter.get(ORDERS, query)) == (422, "api.invalid")


def test_a_cursor_of_a_list_in_another_order_is_refused(counter: Counter) -> None:
    place(counter, "A", "B")
    cursor = counter.get(ORDERS, {"limit": 1, "total_from": 0}).json()["next_cursor"]

    assert problem(counter.get(ORDERS, {"cursor": cursor})) == (400, "api.cursor_invalid")
    assert len(counter.get(ORDERS, {"cursor": cursor, "total_from": 0}).json()["items"]) == 1


def test_the_summary_of_the_api_is_of_one_shop_and_of_a_bounded_time(
    counter: Counter, other: Counter
) -> None:
    place(counter, "A", "B")
    where = f"{ORDERS}/summary"
    asked = {"since": "2026-01-01", "until": "2026-01-31"}

    mine, theirs = counter.get(where, asked), other.get(where, asked)

    assert mine.json()["items"] == [
        {
            "day": None, "country": None, "status": "draft", "currency": "EUR", "orders": 2, "total_minor": 4600,
            "captured_minor": 0, "refunded_minor": 0,
        }
    ]  # fmt: skip
    assert theirs.json() == {"items": []}
    for wrong in (
        {},
        asked | {"until": "2027-01-31"},
        asked | {"until": "2025-12-31"},
        asked | {"group_by": "shop"},
    ):
        assert problem(counter.get(where, wrong)) == (422, "api.invalid")


def test_a_draft_is_cancelled_at_once_and_the_wish_reaches_its_saga(counter: Counter) -> None:
    where = counter.place()["Location"]

    response = counter.post(f"{where}/cancel", {"reason": "changed their mind"})

    order = Order.objects.get()
    assert response.status_code == 202
    assert response.json() == {
        "id": str(order.pk),
        "state": "cancelled",
        "saga_id": str(Saga.objects.get().pk),
        "return_id": None,
    }
    assert (order.state, order.cancel_reason) == ("cancelled", "changed their mind")
    intent = Saga.objects.get().intents.get()
    assert (intent.kind, intent.actor) == ("cancel", f"shop:{counter.shop.slug}")


def test_cancelling_takes_nothing_but_a_reason(counter: Counter) -> None:
    where = counter.place()["Location"]

    response = counter.post(f"{where}/cancel", {"refund": 100})

    assert problem(response) == (422, "api.invalid")
    assert Order.objects.get().state == "draft"


def test_nothing_of_another_shop_can_be_seen_or_changed(counter: Counter, other: Counter) -> None:
    where = counter.place(external_reference="W-1")["Location"]
    counter.move({"key": "K", "sku": "MUG", "kind": "receipt", "quantity": 5})
    saga = Saga.objects.get()

    assert problem(other.get(where)) == (404, "api.not_found")
    assert problem(other.get(f"{SAGAS}/{saga.pk}")) == (404, "api.not_found")
    assert problem(other.post(f"{where}/cancel")) == (404, "orders.not_found")
    for path in (ORDERS, SAGAS, STOCK):
        assert other.get(path).json() == {"items": [], "next_cursor": None}
    assert other.get(ORDERS, {"external_reference": "W-1"}).json()["items"] == []
    assert other.get(SAGAS, {"reference": "W-1"}).json()["items"] == []
    assert Order.objects.get().state == "draft"
    assert saga.intents.count() == 0


def test_a_cursor_of_another_shop_opens_nothing(counter: Counter, other: Counter) -> None:
    place(counter, "A", "B")
    cursor = counter.get(ORDERS, {"limit": 1}).json()["next_cursor"]

    assert other.get(ORDERS, {"cursor": cursor}).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("path", [f"{ORDERS}/{UUID(int=1)}", f"{SAGAS}/{UUID(int=1)}", f"{ORDERS}/not-an-id"])
def test_what_does_not_exist_looks_like_what_is_anothers(counter: Counter, path: str) -> None:
    assert problem(counter.get(path)) == (404, "api.not_found")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x",
        "Bearer wb_0123456789ab_secret",
        "Basic dXNlcjpwYXNz",
        "Bearer \xff",
        "bearer \x00",
    ],
)
@pytest.mark.parametrize("path", [ORDERS, f"{ORDERS}/{UUID(int=1)}", SAGAS, STOCK, MOVEMENTS])
def test_without_a_valid_token_there_is_nothing(counter: Counter, header: str, path: str) -> None:
    send = counter.move_raw if path == MOVEMENTS else None
    broken = Counter(counter.shop, "")
    response = (
        Counter(counter.shop, header.partition(" ")[2]).move_raw(b"{}")
        if send
        else broken.get(path, Authorization=header)
    )

    assert problem(response) == (401, "api.unauthenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_revoked_token_opens_nothing_any_more(counter: Counter) -> None:
    counter.shop.tokens.update(revoked_at="2026-01-01T00:00:00Z")

    assert problem(counter.get(ORDERS)) == (401, "api.unauthenticated")


def test_the_token_is_stored_as_a_hash_only(counter: Counter) -> None:
    (stored,) = counter.shop.tokens.values()

    assert counter.token.split("_", 2)[2] not in str(stored)
