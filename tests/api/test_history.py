"""An order's past over the API, and writes that hold only for the version a client has seen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from orders import commands, queries, repository
from orders.models import Order
from sagas.ids import uuid7
from sagas.log import Append, publish
from tests.api.counter import NOW, ORDERS, Counter, problem
from tests.orders.factories import call

pytestmark = pytest.mark.django_db

CountQueries = Callable[[int], AbstractContextManager[Any]]

ACCEPTED, CONFIRMED, PART = (NOW + timedelta(days=4000, hours=n) for n in (1, 2, 3))


@pytest.fixture
def where(counter: Counter) -> str:
    """An order of five events: placed, accepted, confirmed, and one mug cancelled."""
    where: str = counter.place(external_reference="W-1")["Location"]
    order = Order.objects.get()
    saga = queries.fulfilment_saga(order.pk)
    commands.accept_orders([call(order.pk, saga_id=saga, now=ACCEPTED)], now=ACCEPTED)
    commands.confirm_orders([call(order.pk, saga_id=saga, now=CONFIRMED)], now=CONFIRMED)
    loaded = repository.load([order.pk], with_lines=True)[order.pk]
    part = uuid7()
    loaded.request_cancellation(part, reason="one is broken", whole=False, now=PART)
    loaded.cancel_lines(part, [{"sku": "MUG", "quantity": 1}], amount_minor=500, now=PART)
    repository.save([loaded], now=PART, actor="ada", reason="one is broken")
    return where


def then(counter: Counter, where: str, as_of: object) -> dict[str, Any]:
    response = counter.get(where, {"as_of": as_of})
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    assert response["ETag"] == f'"{found["version"]}"'
    return found


@pytest.mark.parametrize(
    ("version", "stood"),
    [
        (1, ("draft", 0, [0, 0])),
        (2, ("pending", 0, [0, 0])),
        (3, ("confirmed", 0, [0, 0])),
        (4, ("confirmed", 0, [0, 0])),
        (5, ("confirmed", 500, [1, 0])),
    ],
)
def test_an_order_can_be_seen_as_it_stood_at_every_version(
    counter: Counter, where: str, version: int, stood: tuple[str, int, list[int]]
) -> None:
    found = then(counter, where, version)

    assert (found["version"], found["as_of"]["version"]) == (version, version)
    given_back = [line["cancelled_quantity"] for line in found["lines"]]
    assert (found["state"], found["cancelled_minor"], given_back) == stood
    assert found["lines"][1]["name"] == "Green tea"


def test_the_newest_version_is_the_document_of_now(counter: Counter, where: str) -> None:
    now = counter.get(where).json()

    found = then(counter, where, now["version"])

    assert found.pop("as_of") == {"version": 5, "at": PART.isoformat().replace("+00:00", "Z")}
    assert found == {name: now[name] for name in found}


@pytest.mark.parametrize(
    ("moment", "version"),
    [
        (ACCEPTED - timedelta(seconds=1), 1),
        (ACCEPTED, 2),
        (CONFIRMED - timedelta(microseconds=1), 2),
        (CONFIRMED, 3),
        (PART, 5),
        (PART + timedelta(days=3650), 5),
    ],
)
def test_an_order_can_be_seen_as_it_stood_at_a_moment(
    counter: Counter, where: str, moment: Any, version: int
) -> None:
    assert then(counter, where, moment.isoformat())["version"] == version
    assert then(counter, where, moment.isoformat().replace("+00:00", "Z"))["version"] == version


def test_an_event_behind_one_that_came_later_is_left_out_with_it(counter: Counter, where: str) -> None:
    order = Order.objects.get()
    event = repository.load([order.pk])[order.pk]
    event.need_attention("a clock was behind", on_hold=False, owner="", now=CONFIRMED)
    publish([Append(order.pk, 6, event.changes[0])], now=CONFIRMED)

    assert then(counter, where, CONFIRMED.isoformat())["version"] == 3
    assert then(counter, where, PART.isoformat())["version"] == 6


@pytest.mark.parametrize(
    ("as_of", "answer"),
    [
        ("0", (404, "orders.not_placed_yet")),
        ("6", (404, "orders.no_such_version")),
        ("9" * 18, (404, "orders.no_such_version")),
        ("2020-01-05T09:00:00Z", (404, "orders.not_placed_yet")),
        ("", (400, "api.as_of_invalid")),
        ("yesterday", (400, "api.as_of_invalid")),
        ("-1", (400, "api.as_of_invalid")),
        ("1.0", (400, "api.as_of_invalid")),
        ("9" * 30, (400, "api.as_of_invalid")),
        ("٣", (400, "api.as_of_invalid")),
        ("2036-01-05", (400, "api.as_of_invalid")),
        ("2036-01-05T09:00:00", (400, "api.as_of_invalid")),
        ("2036-13-05T09:00:00Z", (400, "api.as_of_invalid")),
        ("0001-01-01T00:00:00+01:00", (400, "api.as_of_invalid")),
    ],
)
def test_a_time_without_the_order_or_without_sense_is_told_apart(
    counter: Counter, where: str, as_of: str, answer: tuple[int, str]
) -> None:
    assert problem(counter.get(where, {"as_of": as_of})) == answer


def test_as_of_is_given_once(counter: Counter, where: str) -> None:
    assert problem(counter.get(f"{where}?as_of=1&as_of=2")) == (400, "api.as_of_invalid")


def test_a_version_that_is_not_there_yet_tells_the_newest(counter: Counter, where: str) -> None:
    assert counter.get(where, {"as_of": "6"}).json()["newest"] == 5


def test_the_past_of_another_shops_order_cannot_be_seen(counter: Counter, other: Counter, where: str) -> None:
    assert problem(other.get(where, {"as_of": "1"})) == (404, "api.not_found")
    assert problem(other.get(where, {"as_of": "nonsense"})) == (404, "api.not_found")
    assert problem(other.get(f"{where}/events")) == (404, "api.not_found")
    assert problem(counter.get(f"{ORDERS}/{uuid7()}/events")) == (404, "api.not_found")


def test_the_events_of_an_order_come_in_pages_by_version(counter: Counter, where: str) -> None:
    first = counter.get(f"{where}/events", {"limit": 2})
    rest = counter.get(first["Link"].removeprefix("<").removesuffix('>; rel="next"')).json()
    last = counter.get(f"{where}/events", {"cursor": rest["next_cursor"], "limit": 2}).json()

    pages = [[item["version"] for item in body["items"]] for body in (first.json(), rest, last)]
    assert pages == [[1, 2], [3, 4], [5]]
    assert last["next_cursor"] is None


def test_an_event_says_what_when_by_whom_and_why_and_nothing_of_a_person(
    counter: Counter, where: str
) -> None:
    response = counter.get(f"{where}/events")

    items = response.json()["items"]
    assert [item["type"].removeprefix("orders.") for item in items] == [
        "OrderPlaced", "OrderAccepted", "OrderConfirmed", "CancellationRequested", "OrderLinesCancelled",
    ]  # fmt: skip
    order = Order.objects.get()
    assert items[4] == {
        "version": 5,
        "type": "orders.OrderLinesCancelled",
        "at": PART.isoformat().replace("+00:00", "Z"),
        "actor": "ada",
        "reason": "one is broken",
        "data": {
            "order_id": str(order.pk),
            "shop_id": str(counter.shop.pk),
            "lines": [{"position": 1, "sku": "MUG", "quantity": 1}],
            "amount_minor": 500,
        },
    }
    assert items[0]["actor"] == f"shop:{counter.shop.slug}"
    for word in ("Ada Example", "ada@example.org", "Long Road"):
        assert word not in response.content.decode()


@pytest.mark.parametrize("cursor", ["x", "WyJ4Il0", "WyItMSJd", "WyIxIiwgIjIiXQ"])
def test_a_cursor_of_events_we_have_not_made_is_refused(counter: Counter, where: str, cursor: str) -> None:
    assert problem(counter.get(f"{where}/events", {"cursor": cursor})) == (400, "api.cursor_invalid")


def test_the_past_takes_the_same_queries_for_a_short_and_a_long_story(
    counter: Counter, where: str, django_assert_num_queries: CountQueries
) -> None:
    for version in (1, 5):
        with django_assert_num_queries(6):
            counter.get_now(where, {"as_of": version})
    with django_assert_num_queries(3):
        counter.get_now(f"{where}/events")


# --- If-Match -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ['"5"', '"4", "5"', "*", '"x", "5"', ' "5" '])
def test_a_cancellation_of_the_version_that_was_seen_is_taken(counter: Counter, where: str, tag: str) -> None:
    response = counter.post(f"{where}/cancel", **{"If-Match": tag})

    assert (response.status_code, response.json()["state"]) == (202, "cancelling")


@pytest.mark.parametrize("tag", ['"4"', '"6"', 'W/"5"', '"five"', '"05"', '""'])
def test_a_cancellation_of_another_version_does_nothing_and_tells_where_the_order_stands(
    counter: Counter, where: str, tag: str
) -> None:
    response = counter.post(f"{where}/cancel", **{"If-Match": tag})

    assert problem(response) == (412, "orders.version_moved")
    assert (response.json()["version"], response.json()["state"]) == (5, "confirmed")
    assert response.json()["detail"] == "W-1 is confirmed at version 5"
    assert Order.objects.get().version == 5


@pytest.mark.parametrize("tag", ["5", "'5'", '"5', '"4" "5"', ",", '"5",', "w/5"])
def test_a_malformed_if_match_is_refused(counter: Counter, where: str, tag: str) -> None:
    assert problem(counter.post(f"{where}/cancel", **{"If-Match": tag})) == (400, "api.if_match_invalid")
    assert Order.objects.get().version == 5


def test_a_repeat_under_its_key_gets_its_answer_although_the_version_has_moved(
    counter: Counter, where: str
) -> None:
    first = counter.post(f"{where}/cancel", key="K-1", **{"If-Match": '"5"'})

    again = counter.post(f"{where}/cancel", key="K-1", **{"If-Match": '"5"'})

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert Order.objects.get().version == 6


def test_a_refused_precondition_may_be_mended_under_the_same_key(counter: Counter, where: str) -> None:
    refused = counter.post(f"{where}/cancel", key="K-1", **{"If-Match": '"1"'})

    tag = counter.get(where)["ETag"]
    taken = counter.post(f"{where}/cancel", key="K-1", **{"If-Match": tag})

    assert (refused.status_code, taken.status_code) == (412, 202)


def test_an_order_of_another_shop_is_not_there_whatever_the_version(other: Counter, where: str) -> None:
    assert problem(other.post(f"{where}/cancel", **{"If-Match": '"1"'})) == (404, "orders.not_found")


def test_two_writers_that_meet_are_told_apart_by_the_log(
    counter: Counter, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = repository.load

    def overtaken(order_ids: Any, **how: Any) -> Any:
        """Somebody else's event is in the log by the time ours is to be written."""
        found = real(order_ids, **how)
        for order in found.values():
            other = real([order.id])[order.id]
            other.need_attention("meanwhile", on_hold=False, owner="", now=PART)
            publish([Append(order.id, order.version + 1, other.changes[0])], now=PART)
        return found

    monkeypatch.setattr(repository, "load", overtaken)

    response = counter.post(f"{where}/cancel")

    assert problem(response) == (409, "concurrency_conflict")
    assert response["Retry-After"] == "1"
    assert Order.objects.get().state == "confirmed"


def test_a_moment_goes_through_an_address_with_its_plus_sign_written_out(
    counter: Counter, where: str
) -> None:
    found = counter.get(f"{where}?as_of={quote(ACCEPTED.isoformat(), safe='')}")

    assert found.json()["version"] == 2
