"""What goes wrong is told in one way, with a stable code that is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from django.db import DataError, InterfaceError, OperationalError
from django.test import Client

from config.api import throttling
from config.api.catalogue import CATALOGUE
from config.api.errors import as_problem
from config.embedded.state import BASE_DIR
from orders import commands, queries
from orders.models import Order
from sagas.models import Saga, StoredEvent
from sagas.verdicts import ConcurrencyConflict, IllegalMove, LostRace, Refused, Unavailable
from tests.api.counter import ORDERS, Counter, an_order, problem

pytestmark = pytest.mark.django_db


class Broken(Exception):
    """A bug."""


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("error", "status", "code", "seconds"),
    [
        (Refused("payments.declined"), 409, "payments.declined", None),
        (IllegalMove(), 409, "illegal_move", None),
        (ConcurrencyConflict(), 409, "concurrency_conflict", 1),
        (Unavailable("carrier.down"), 503, "carrier.down", 2),
        (LostRace(), 503, "lost_race", 2),
        (OperationalError("the pool is empty"), 503, "api.unavailable", 2),
        (InterfaceError("the connection is closed"), 503, "api.unavailable", 2),
        (DataError("out of range"), 422, "api.invalid", None),
    ],
)
def test_each_verdict_has_its_status(error: Exception, status: int, code: str, seconds: int | None) -> None:
    found = as_problem(error)

    assert (found.status, found.code, found.retry_after_seconds) == (status, code, seconds)


def test_retry_after_is_when_it_may_work_again() -> None:
    seconds = as_problem(Unavailable(retry_at=soon())).retry_after_seconds

    assert seconds is not None
    assert 28 <= seconds <= 30


def test_a_database_that_does_not_answer_is_a_problem_to_try_again(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(queries, "list_orders", away)

    response = counter.get(ORDERS)

    assert problem(response) == (503, "api.unavailable")
    assert response["Retry-After"] == "2"
    assert "statement" not in response.content.decode()


def test_a_bug_takes_everything_back_and_tells_nothing_of_itself(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_order = commands.place_order

    def break_after(*args: Any, **kwargs: Any) -> Any:
        place_order(*args, **kwargs)
        raise Broken("secret of the house")

    monkeypatch.setattr(commands, "place_order", break_after)
    monkeypatch.setattr("tests.api.counter.Client", lambda: Client(raise_request_exception=False))

    response = counter.place()

    assert problem(response) == (500, "api.unexpected")
    assert "secret" not in response.content.decode()
    assert not Order.objects.exists()


def test_every_code_an_order_can_be_refused_with_is_explained() -> None:
    sources = [Path(BASE_DIR) / "orders" / name for name in ("intake.py", "totals.py")]
    sources += (Path(BASE_DIR) / "sagas" / "web").glob("*.py")
    sources += (Path(BASE_DIR) / "config" / "api").glob("e*.py")

    said = {code for s in sources for code in re.findall(r'"((?:orders|api)\.[a-z_]+)"', s.read_text())}

    assert {"orders.total_mismatch", "api.invalid"} <= said
    assert said - set(CATALOGUE) == {"api.before_commit", "api.after_commit"}


def test_outside_of_the_known_addresses_there_is_a_problem_too(client: Client) -> None:
    for path in ("/api/v1/nothing", "/api/v1/", "/api/v2/orders", "/api/v1/orders/"):
        assert problem(client.get(path)) == (404, "api.not_found")
    assert not client.get("/nothing")["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_other_methods_are_refused(counter: Counter, method: str) -> None:
    send = getattr(Client(headers={"Authorization": f"Bearer {counter.token}"}), method)

    assert problem(send(ORDERS)) == (405, "api.method_not_allowed")


@pytest.fixture
def narrow(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three requests at once, then one in a hundred seconds; and all the patience a slow machine needs."""
    settings.WAYBILL = replace(settings.WAYBILL, api_rate=0.01, api_burst=3)
    monkeypatch.setattr(throttling, "PATIENCE_SECONDS", 10)
    monkeypatch.setattr(throttling.ShopThrottle, "silent_until", 0.0)
    throttling._admit.cache_clear()
    yield
    throttling._admit.cache_clear()


def test_who_asks_too_often_is_told_when_to_come_back(narrow: None, counter: Counter, other: Counter) -> None:
    answers = [counter.get(ORDERS) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert problem(answers[3]) == (429, "api.rate_limited")
    assert 60 <= int(answers[3]["Retry-After"]) <= 100
    assert other.get(ORDERS).status_code == 200


def test_an_order_turned_away_for_haste_was_not_placed(narrow: None, counter: Counter) -> None:
    for _ in range(3):
        counter.get(ORDERS)

    response = counter.place(key="K")

    assert problem(response) == (429, "api.rate_limited")
    assert not Order.objects.exists()


def test_without_redis_nobody_is_turned_away(
    narrow: None, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(shop_id: UUID, *_: Any) -> float:
        asked.append(shop_id)
        raise redis.ConnectionError("gone")

    asked: list[UUID] = []
    monkeypatch.setattr(throttling, "seconds_to_wait", gone)

    answers = [counter.get(ORDERS).status_code for _ in range(5)]

    assert answers == [200] * 5
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Correlation-Id": "shop-7/order:42"}, "shop-7/order:42"),
        ({"X-Request-ID": "r-1"}, "r-1"),
        ({"X-Correlation-Id": "c-1", "X-Request-ID": "r-1"}, "c-1"),
        ({"X-Correlation-Id": "two words", "X-Request-ID": "r-1"}, "r-1"),
    ],
)
def test_the_callers_correlation_id_follows_the_order(
    counter: Counter, headers: dict[str, str], expected: str
) -> None:
    taken = counter.post(ORDERS, an_order(), **headers)
    refused = counter.post(ORDERS, {}, **headers)

    assert taken["X-Correlation-Id"] == expected
    assert Saga.objects.get().correlation_id == expected
    assert {event.metadata["correlation_id"] for event in StoredEvent.objects.all()} == {expected}
    assert refused.json()["correlation_id"] == refused["X-Correlation-Id"] == expected


@pytest.mark.parametrize("brought", ["", "x" * 101, "a b", "é", "a\tb", "<script>", "a;b"])
def test_a_correlation_id_that_is_not_well_formed_is_replaced(counter: Counter, brought: str) -> None:
    response = counter.get(ORDERS, None, **{"X-Correlation-Id": brought, "X-Request-ID": brought})

    assert re.fullmatch(r"[0-9a-f-]{36}", response["X-Correlation-Id"])


@pytest.mark.parametrize("path", ["/health/live", "/api/v1/nothing", "/api/docs/"])
def test_every_answer_names_its_correlation_id(client: Client, path: str) -> None:
    assert client.get(path, headers={"X-Correlation-Id": "c-1"})["X-Correlation-Id"] == "c-1"
