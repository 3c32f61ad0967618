"""Orders in bulk: a line, an answer, in order; a bad one costs only itself, and a repeat changes nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.api import throttling
from orders import commands
from orders.api import bulk
from orders.commands import take
from orders.intake import PlaceOrder
from orders.models import Order
from sagas.erasure import erase_people
from sagas.models import Saga, StoredEvent
from sagas.web.kept import KeptAnswer
from tests.api.counter import BULK, NOW, ORDERS, Counter, an_order, ndjson, problem

pytestmark = pytest.mark.django_db


def some(count: int, prefix: str = "B") -> list[dict[str, Any]]:
    """Orders with references in their order."""
    return [an_order(external_reference=f"{prefix}-{n}") for n in range(count)]


def of(answers: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Some members of each answer; None for one that is not there."""
    return [tuple(answer.get(name) for name in names) for answer in answers]


def ids(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["id"] for answer in answers]


def test_each_line_is_answered_in_order_and_its_saga_has_begun(counter: Counter) -> None:
    answers = counter.bulk(*some(5))

    placed = dict(Order.objects.values_list("external_reference", "pk"))
    assert answers == [
        {
            "line": n + 1, "external_reference": f"B-{n}", "status": 202,
            "id": str(placed[f"B-{n}"]), "state": "draft", "existing": False,
        }
        for n in range(5)
    ]  # fmt: skip
    assert set(Saga.objects.values_list("subject_id", flat=True)) == set(placed.values())


def test_order_is_kept_over_several_commits(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 3)

    answers = counter.bulk(*some(8))

    assert of(answers, "line", "external_reference") == [(n + 1, f"B-{n}") for n in range(8)]
    assert Order.objects.count() == 8


def test_an_order_in_bulk_is_stored_like_one_that_came_alone(counter: Counter) -> None:
    document = an_order()
    del document["placed_at"]

    counter.place(**document | {"external_reference": "alone"})
    counter.bulk(document | {"external_reference": "in bulk"})

    rows = Order.objects.order_by("id").values()
    alone, in_bulk = ({k: v for k, v in row.items() if k not in LEFT_OUT} for row in rows)
    assert alone == in_bulk
    actors = StoredEvent.objects.values_list("metadata__actor", flat=True)
    assert set(actors) == {f"shop:{counter.shop.slug}"}


#: What differs between any two orders.
LEFT_OUT = {"id", "external_reference", "placed_at", "received_at", "moved_at"}


def test_a_bad_line_stops_no_other_and_is_told_what_is_wrong(counter: Counter) -> None:
    nameless = an_order()
    del nameless["external_reference"]
    answers = counter.bulk(
        an_order(external_reference="B-1"),
        b"{not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        nameless,
        an_order(external_reference="B-7", colour="red"),
        an_order(external_reference="B-8", expected_total_minor=1),
        an_order(external_reference="B-9", currency="XXX"),
        an_order(external_reference="B-10"),
    )

    assert of(answers, "line", "status", "code") == [
        (1, 202, None),
        (2, 400, "api.malformed_json"),
        (3, 400, "api.malformed_json"),
        (4, 422, "api.invalid"),
        (5, 422, "api.invalid"),
        (6, 422, "api.invalid"),
        (7, 422, "api.invalid"),
        (8, 422, "orders.total_mismatch"),
        (9, 422, "orders.currency_unknown"),
        (10, 202, None),
    ]
    assert answers[5]["errors"] == [
        {"pointer": "/external_reference", "code": "required", "detail": "This field is required."}
    ]
    assert answers[6]["errors"][0]["pointer"] == "/colour"
    assert answers[7]["type"] == "/api/problems/#orders.total_mismatch"
    assert answers[7]["external_reference"] == "B-8"
    assert sorted(Order.objects.values_list("external_reference", flat=True)) == ["B-1", "B-10"]


def test_a_repeat_of_the_request_stores_nothing_and_says_where_its_orders_stand(counter: Counter) -> None:
    first = counter.bulk(*some(3))
    Order.objects.filter(external_reference="B-1").update(state="confirmed")

    second = counter.bulk(*some(4))

    assert ids(second)[:3] == ids(first)
    assert of(second, "status", "existing", "state") == [
        (200, True, "draft"),
        (200, True, "confirmed"),
        (200, True, "draft"),
        (202, False, "draft"),
    ]
    assert (Order.objects.count(), Saga.objects.count(), StoredEvent.objects.count()) == (4, 4, 4)
    assert not KeptAnswer.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"payment_method": "pm_other"},
        {"currency": "USD"},
        {"lines": [{"sku": "MUG", "quantity": 4, "unit_price_minor": 500}]},
        {"ship_to": {"country": "FR"}},
        {"ship_to": {"country": "DE", "street": "Short Road 2", "postcode": "10115", "city": "Berlin"}},
        {"customer": {"reference": "C-2", "name": "Ada Example", "email": "ada@example.org"}},
    ],
)
def test_another_order_under_a_reference_that_is_taken_is_a_conflict(
    counter: Counter, changes: dict[str, Any]
) -> None:
    (first,) = counter.bulk(an_order(external_reference="B-1"))

    (second,) = counter.bulk(an_order(external_reference="B-1", **changes))

    assert (second["status"], second["code"]) == (409, "orders.duplicate_reference")
    assert (second["order_id"], second["order"]) == (first["id"], f"{ORDERS}/{first['id']}")
    assert Order.objects.get().payment_method == "pm_card_visa"


def test_a_corrected_name_and_another_moment_do_not_make_it_another_order(counter: Counter) -> None:
    counter.bulk(an_order(external_reference="B-1"))
    customer = {"reference": "C-1", "name": "Ada Corrected", "email": "new@example.org"}

    (again,) = counter.bulk(
        an_order(external_reference="B-1", customer=customer, placed_at="2026-01-05T08:30:00Z")
    )

    assert (again["status"], again["existing"]) == (200, True)


def test_a_customer_who_was_erased_does_not_make_it_another_order(counter: Counter) -> None:
    (first,) = counter.bulk(an_order(external_reference="B-1"))
    Order.objects.update(state="cancelled")
    erase_people([Order.objects.get().person_id], actor="staff", reason="asked", now=NOW)

    (again,) = counter.bulk(an_order(external_reference="B-1"))

    assert (again["status"], again["id"]) == (200, first["id"])


def test_of_two_lines_with_one_reference_the_first_is_placed(counter: Counter) -> None:
    one, other = an_order(external_reference="B-1"), an_order(external_reference="B-1", currency="USD")

    answers = counter.bulk(one, other, one)

    assert of(answers, "status", "code", "existing") == [
        (202, None, False),
        (409, "orders.duplicate_reference", None),
        (200, None, True),
    ]
    assert Order.objects.get().currency == "EUR"


def test_an_order_that_came_alone_is_known_in_bulk_and_the_other_way_round(counter: Counter) -> None:
    alone = counter.place(external_reference="B-1").json()

    (known, new) = counter.bulk(*(an_order(external_reference=r) for r in ("B-1", "B-2")))

    assert (known["id"], known["existing"], new["existing"]) == (alone["id"], True, False)
    assert problem(counter.place(external_reference="B-2")) == (409, "orders.duplicate_reference")


def test_the_references_of_another_shop_are_of_no_concern(counter: Counter, other: Counter) -> None:
    first, second = counter.bulk(*some(2)), other.bulk(*some(2))

    assert of(second, "status") == [(202,), (202,)]
    assert not set(ids(first)) & set(ids(second))
    assert Order.objects.filter(shop=other.shop.pk).count() == 2


def test_a_choreographed_order_is_pending_at_once(counter: Counter) -> None:
    answers = counter.bulk(*(an_order(fulfilment=style) for style in ("choreography", "orchestration")))

    assert of(answers, "state") == [("pending",), ("draft",)]


def test_an_order_that_breaks_its_batch_costs_only_itself(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_orders, tried = commands.place_orders, []

    def break_on_one(batch: list[PlaceOrder], **options: Any) -> Any:
        tried.append(len(batch))
        if any(order.external_reference == "B-5" for order in batch):
            raise RuntimeError("a bug, and a secret of the house")
        return place_orders(batch, **options)

    monkeypatch.setattr(take, "place_orders", break_on_one)
    monkeypatch.setattr("tests.api.counter.Client", lambda: Client(raise_request_exception=False))

    answers = counter.bulk(*some(8))

    assert of(answers, "status") == [(202,)] * 5 + [(500,)] + [(202,)] * 2
    assert answers[5]["code"] == "api.unexpected"
    assert "secret" not in str(answers[5])
    assert Order.objects.count() == 7
    assert tried == [8, 4, 4, 2, 1, 1, 2]


def test_a_database_that_goes_away_ends_the_request_and_a_repeat_goes_on(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_orders, calls = commands.place_orders, []

    def away_at_the_second(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise OperationalError("the connection is lost")
        return place_orders(*args, **options)

    monkeypatch.setattr(bulk, "BATCH", 2)
    monkeypatch.setattr(take, "place_orders", away_at_the_second)

    broken = counter.send_lines(BULK, ndjson(some(6)))
    answers = counter.bulk(*some(6))

    assert problem(broken) == (503, "api.unavailable")
    assert of(answers, "existing") == [(True,)] * 2 + [(False,)] * 4
    assert Order.objects.count() == 6


def test_twins_of_one_request_at_one_moment_store_each_order_once(transactional_db: None) -> None:
    counter, barrier = Counter.open("Busy Shop"), threading.Barrier(4)

    def send(_: int) -> list[dict[str, Any]]:
        try:
            barrier.wait(timeout=20)
            return counter.bulk(*some(40))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))

    assert {tuple(ids(answer)) for answer in answers} == {tuple(ids(answers[0]))}
    assert [sum(not line["existing"] for line in lines) for lines in zip(*answers, strict=True)] == [1] * 40
    assert (Order.objects.count(), Saga.objects.count()) == (40, 40)


@pytest.mark.parametrize("repeated", [False, True])
def test_a_batch_costs_the_same_statements_whatever_its_size(counter: Counter, repeated: bool) -> None:
    def statements(count: int, prefix: str) -> int:
        orders = some(count, prefix)
        if repeated:
            counter.bulk(*orders)
        with CaptureQueriesContext(connection) as seen:
            counter.bulk(*orders)
        return len(seen)

    counter.bulk(*some(1, "the customer is known"))

    assert statements(2, "few") == statements(100, "many")


def test_too_many_lines_are_refused_before_any_is_stored(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST_LINES", 2)

    response = counter.send_lines(BULK, ndjson(some(3)))

    assert problem(response) == (413, "api.too_many_lines")
    assert not Order.objects.exists()


def test_a_body_that_is_too_large_is_refused_unread(counter: Counter) -> None:
    response = counter.send_lines(BULK, b" " * (8 * 1024 * 1024 + 1))

    assert problem(response) == (413, "api.body_too_large")


def test_empty_lines_are_neither_counted_nor_answered(counter: Counter) -> None:
    one, two = some(2)

    answers = counter.bulk(b"", one, b"  ", two, b"")
    nothing = counter.send_lines(BULK, b"\n \n")

    assert of(answers, "line", "external_reference") == [(1, "B-0"), (2, "B-1")]
    assert (nothing.status_code, nothing.content) == (200, b"")


def test_other_media_types_and_other_callers_are_refused(counter: Counter) -> None:
    stranger = replace(counter, token=counter.token[:-1] + ("A" if counter.token[-1] != "A" else "B"))

    assert problem(counter.post(BULK, an_order())) == (415, "api.media_type_unsupported")
    assert problem(stranger.send_lines(BULK, ndjson(some(1)))) == (401, "api.unauthenticated")
    assert problem(counter.get(BULK)) == (405, "api.method_not_allowed")
    assert not Order.objects.exists()


def test_the_answer_says_where_in_the_feed_the_last_order_stands(transactional_db: None) -> None:
    counter = Counter.open("First Shop")

    first = counter.send_lines(BULK, ndjson(some(3)))
    again = counter.send_lines(BULK, ndjson(some(3)))

    last = StoredEvent.objects.order_by("-position").values_list("era", "xid", "position")[0]
    assert first["Waybill-Position"] == ".".join(map(str, last))
    assert not again.has_header("Waybill-Position")


def test_one_correlation_id_follows_all_orders_of_a_request(counter: Counter) -> None:
    counter.send_lines(BULK, ndjson(some(2)), **{"X-Correlation-Id": "night-run-7"})

    assert set(Saga.objects.values_list("correlation_id", flat=True)) == {"night-run-7"}


@pytest.fixture
def narrow(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ten orders in bulk at once, then one in a hundred seconds; and all the patience a slow machine needs."""
    settings.WAYBILL = replace(settings.WAYBILL, bulk_rate=0.01, bulk_burst=10)
    monkeypatch.setattr(throttling, "PATIENCE_SECONDS", 10)
    monkeypatch.setattr(throttling.ShopThrottle, "silent_until", 0.0)
    throttling._admit.cache_clear()
    yield
    throttling._admit.cache_clear()


def test_each_order_counts_towards_what_a_shop_may_send_in_bulk(
    narrow: None, counter: Counter, other: Counter
) -> None:
    taken = counter.bulk(*some(8))
    haste = counter.send_lines(BULK, ndjson(some(3, "late")))
    fewer = counter.bulk(*some(2, "few"))

    assert len(taken) == 8
    assert problem(haste) == (429, "api.rate_limited")
    assert int(haste["Retry-After"]) <= 100
    assert of(fewer, "status") == [(202,), (202,)]
    assert len(other.bulk(*some(10))) == 10
    assert counter.place().status_code == 202
    assert not Order.objects.filter(external_reference__startswith="late").exists()
