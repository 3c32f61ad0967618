"""A request is carried out once, however often and however close together it is sent."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter as Tally
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from orders import commands
from orders.models import Order
from sagas.keeping.answers import KEPT_FOR, forget_answers
from sagas.models import Saga
from sagas.people import remember_people
from sagas.web.kept import KeptAnswer
from tests.api.counter import NOW, ORDERS, Counter, an_order, problem


def at_once(sends: list[Callable[[], Any]]) -> list[Any]:
    """Send requests from as many threads, all let go at one moment."""
    barrier = threading.Barrier(len(sends))

    def send(one: Callable[[], Any]) -> Any:
        try:
            barrier.wait(timeout=20)
            return one()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(sends)) as pool:
        return list(pool.map(send, sends))


def test_f01_a_repeat_is_given_the_first_answer_and_says_so(counter: Counter) -> None:
    document = an_order()

    first, second = counter.post(ORDERS, document, key="K"), counter.post(ORDERS, document, key="K")

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert not first.has_header("Idempotency-Replayed")
    assert second["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1


def test_the_same_document_written_differently_is_the_same_request(counter: Counter) -> None:
    document = an_order()
    counter.post(ORDERS, document, key="K")

    response = counter.post(ORDERS, dict(reversed(document.items())), key='"K"')

    assert response["Idempotency-Replayed"] == "true"


def test_f01_fifty_at_once_under_one_key_make_one_order(transactional_db: None) -> None:
    counter, document = Counter.open("Busy Shop"), an_order()

    answers = at_once([lambda: counter.post(ORDERS, document, key="K")] * 50)

    tally = Tally(answer.status_code for answer in answers)
    assert set(tally) <= {202, 409}
    assert sum(tally.values()) == 50
    taken = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.json()["id"] for answer in taken}) == 1
    assert [answer.has_header("Idempotency-Replayed") for answer in taken].count(False) == 1
    assert {problem(a) for a in answers if a.status_code == 409} <= {(409, "api.request_in_progress")}
    assert (Order.objects.count(), Saga.objects.count(), KeptAnswer.objects.count()) == (1, 1, 1)
    assert counter.post(ORDERS, document, key="K")["Idempotency-Replayed"] == "true"


def test_f01_a_twin_in_flight_is_told_to_come_back(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter, document = Counter.open("Busy Shop"), an_order()
    working, go_on = threading.Event(), threading.Event()
    place_order = commands.place_order

    def slowly(*args: Any, **kwargs: Any) -> Any:
        working.set()
        assert go_on.wait(timeout=20)
        return place_order(*args, **kwargs)

    def send() -> Any:
        try:
            return counter.post(ORDERS, document, key="K")
        finally:
            connection.close()

    monkeypatch.setattr(commands, "place_order", slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send)
        assert working.wait(timeout=20)
        twin = counter.post(ORDERS, document, key="K")
        go_on.set()
        first_answer = first.result()

    assert problem(twin) == (409, "api.request_in_progress")
    assert twin["Retry-After"] == "1"
    assert first_answer.status_code == 202
    assert Order.objects.count() == 1


def test_f05_the_lock_on_a_key_dies_with_its_connection(transactional_db: None) -> None:
    counter, document = Counter.open("Unlucky Shop"), an_order()
    died = threading.Event()

    def die() -> None:
        digest = hashlib.sha256(f"{counter.shop.pk}|K".encode()).digest()
        number = int.from_bytes(digest[:8], "big", signed=True)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s), pg_backend_pid()", [number])
                locked.append(cursor.fetchone())
                taken.set()
                assert died.wait(timeout=20)
        finally:
            connection.close()

    locked: list[Any] = []
    taken = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        dying = pool.submit(die)
        assert taken.wait(timeout=20)
        before = counter.post(ORDERS, document, key="K")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [locked[0][1]])
        died.set()
        assert dying.exception() is not None
    after = counter.post(ORDERS, document, key="K")

    assert locked[0][0] is True
    assert problem(before) == (409, "api.request_in_progress")
    assert after.status_code == 202


def test_f02_a_key_used_for_another_document_is_refused_and_changes_nothing(counter: Counter) -> None:
    document = an_order()
    counter.post(ORDERS, document, key="K")

    response = counter.post(ORDERS, document | {"external_reference": "ANOTHER"}, key="K")

    assert problem(response) == (422, "api.idempotency_key_reused")
    assert Order.objects.get().external_reference == document["external_reference"]


def test_a_key_used_at_another_address_is_refused(counter: Counter) -> None:
    where = counter.place(key="K")["Location"]

    response = counter.post(f"{where}/cancel", an_order(), key="K")

    assert problem(response) == (422, "api.idempotency_key_reused")
    assert Order.objects.get().state == "draft"


def test_f02_keys_of_two_shops_never_meet(counter: Counter, other: Counter) -> None:
    document = an_order()

    first, second = counter.post(ORDERS, document, key="K"), other.post(ORDERS, document, key="K")

    assert (first.status_code, second.status_code) == (202, 202)
    assert not second.has_header("Idempotency-Replayed")
    assert set(Order.objects.values_list("shop_id", flat=True)) == {counter.shop.pk, other.shop.pk}


@pytest.mark.parametrize("path", [ORDERS, f"{ORDERS}/019a0000-0000-7000-8000-000000000000/cancel"])
@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "missing"),
        (" ", "invalid"),
        ('""', "invalid"),
        ("x" * 300, "invalid"),
        ("schlüssel", "invalid"),
        ("one,two", "invalid"),
        ("two words", "invalid"),
        ("\x7f", "invalid"),
    ],
)
def test_f03_a_key_that_is_missing_or_malformed_is_refused_with_a_link(
    counter: Counter, path: str, key: str | None, code: str
) -> None:
    response = counter.post(path, an_order(), key=key)

    assert problem(response) == (400, f"api.idempotency_key_{code}")
    assert response.json()["type"] == f"/api/problems/#api.idempotency_key_{code}"
    assert Order.objects.count() == 0


def test_the_link_leads_to_an_explanation(client: Any) -> None:
    page = client.get("/api/problems/")

    assert page.status_code == 200
    assert 'id="api.idempotency_key_missing"' in page.content.decode()


def test_the_same_reference_under_another_key_names_the_first_order(counter: Counter) -> None:
    first = counter.place(external_reference="W-1")

    second = counter.place(external_reference="W-1", payment_method="pm_other")

    assert problem(second) == (409, "orders.duplicate_reference")
    assert second.json()["order_id"] == first.json()["id"]
    assert second.json()["order"] == first["Location"]
    assert (Order.objects.count(), Saga.objects.count(), KeptAnswer.objects.count()) == (1, 1, 1)


def test_two_presses_at_one_moment_make_one_order(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter, before_writing = Counter.open("Busy Shop"), threading.Barrier(2)

    def together(*args: Any, **kwargs: Any) -> Any:
        before_writing.wait(timeout=20)
        return remember_people(*args, **kwargs)

    monkeypatch.setattr("orders.commands.place.remember_people", together)
    answers = at_once([lambda: counter.place(external_reference="W-1")] * 2)

    taken, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert taken.status_code == 202
    assert problem(refused) == (409, "orders.duplicate_reference")
    assert refused.json()["order_id"] == taken.json()["id"]
    assert (Order.objects.count(), Saga.objects.count()) == (1, 1)


def test_kept_answers_are_forgotten_after_a_week(counter: Counter) -> None:
    counter.place(key="old")
    KeptAnswer.objects.update(made_at=NOW - KEPT_FOR * 1.01)
    counter.place(key="new")
    KeptAnswer.objects.filter(key="new").update(made_at=NOW - KEPT_FOR * 0.99)

    assert forget_answers(now=NOW) == 1

    assert KeptAnswer.objects.get().key == "new"
