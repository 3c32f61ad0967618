"""The load on the API itself: the bare view stores what intake stores, times count from when an order was due."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from benchmarks.load import holding
from benchmarks.load.bare import rows
from benchmarks.load.holding import Held
from benchmarks.load.open_loop import OpenLoop
from benchmarks.load.sending import Sender, closed_loop
from benchmarks.load.shop import body
from benchmarks.load.watching import Watch, watching
from orders.models import Order
from sagas.ids import uuid7
from tests.api.counter import ORDERS, Counter

#: The tables that intake writes to, each with the column that tells one order's rows.
TABLES = {
    "orders_order": "id", "orders_orderline": "order_id", "sagas_event": "stream", "sagas_saga": "subject_id",
}  # fmt: skip
#: What two orders never have in common.
OWN = {
    "id", "order_id", "stream", "subject_id", "saga_id", "person_id", "external_reference", "reference", "search_key",
    "label", "correlation_id", "key", "xid", "position", "at", "placed_at", "received_at", "moved_at", "made_at",
    "started_at", "deadline_at", "wake_at", "fingerprint", "headers", "client_id",
}  # fmt: skip


def send(counter: Counter, reference: str) -> Any:
    headers = {
        "Authorization": f"Bearer {counter.token}", "X-Shop": str(counter.shop.pk), "Idempotency-Key": reference,
    }  # fmt: skip
    data = body(reference, 1)
    return Client().post(ORDERS, data, content_type="application/json", headers=headers)


def send_bare(counter: Counter, reference: str) -> Any:
    with override_settings(ROOT_URLCONF="benchmarks.load.bare.urls"):
        return send(counter, reference)


def stored(table: str, where: str, value: Any) -> list[dict[str, Any]]:
    """Rows of a table without what is an order's own."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE {where} = %s ORDER BY 1", [value])
        names = [column.name for column in cursor.description or ()]
        return [{n: _alike(v) for n, v in zip(names, row, strict=True) if n not in OWN} for row in cursor]


def _alike(value: Any) -> Any:
    """A document without what is an order's own."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    document = json.loads(value)
    return {name: inner for name, inner in document.items() if name not in {*OWN, "shop_id", "actor"}}


def rows_of(answer: Any, counter: Counter, reference: str) -> dict[str, Any]:
    order = answer.json()["id"]
    found = {table: stored(table, column, order) for table, column in TABLES.items()}
    saga, person = connection.cursor(), Order.objects.get(pk=order).person_id
    saga.execute("SELECT id FROM sagas_saga WHERE subject_id = %s", [order])
    found["sagas_step"] = stored("sagas_step", "saga_id", saga.fetchone()[0])
    found["sagas_person"] = stored("sagas_person", "id", person)
    found["sagas_keptanswer"] = stored("sagas_keptanswer", "key", reference)
    return found


@pytest.mark.django_db
def test_the_bare_view_stores_the_very_rows_that_intake_stores() -> None:
    counter = Counter.open("Bench")

    real, bare = send(counter, "real"), send_bare(counter, "bare")

    assert (real.status_code, bare.status_code) == (202, 202)
    assert rows_of(real, counter, "real") == rows_of(bare, counter, "bare")


@pytest.mark.django_db
def test_the_bare_view_asks_nothing_and_inserts_once_into_each_table() -> None:
    counter = Counter.open("Bench")

    with CaptureQueriesContext(connection) as seen:
        send_bare(counter, "bare")

    inserts = [q["sql"] for q in seen if "INSERT" in q["sql"]]
    assert len(inserts) == 7
    assert {sql.split()[2] for sql in inserts} == {
        statement.split()[2]
        for statement in (rows.PERSON, rows.ORDER, rows.LINES, rows.EVENT, rows.SAGA, rows.STEP, rows.ANSWER)
    }


def a_stretch(rate: float, *, good: bool = True) -> Held:
    """What was seen at a rate."""
    ms = 10.0 if good else 10_000.0
    return Held(
        rate=rate, seconds=1, sent=10, accepted=10, confirmed=10, otherwise=0, errors={}, accept_ms=[ms] * 3,
        confirmed_ms=[ms] * 3, late_ms=[0.0] * 3, most_waiting=1, waiting_at_the_end=0,
    )  # fmt: skip


@pytest.mark.parametrize("limit", [3.0, 27.0, 100.0, 333.0])
def test_the_highest_rate_that_is_held_is_found_to_a_tenth(limit: float) -> None:
    tried: list[float] = []

    def held_at(rate: float) -> Held:
        tried.append(rate)
        return a_stretch(rate, good=rate <= limit)

    found = holding.highest(held_at, 20.0)

    assert limit / holding.NEAR <= found <= limit
    assert len(tried) <= 12


def test_where_no_rate_is_held_none_is_found() -> None:
    assert holding.highest(lambda rate: a_stretch(rate, good=False), 20.0) == 0
    assert list(holding.downwards(0)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"accepted": 9},
        {"confirmed": 9},
        {"accept_ms": [1, 1, 101]},
        {"confirmed_ms": [1, 1, 1_501]},
    ],
)
def test_a_rate_is_not_held_if_an_order_is_lost_or_late(changes: dict[str, Any]) -> None:
    assert a_stretch(5).good
    assert not replace(a_stretch(5), **changes).good


@dataclass
class Halting:
    """A server that stands still until a moment."""

    until: float

    async def place(self, reference: str, number: int) -> UUID:
        del reference, number
        await asyncio.sleep(max(0.0, self.until - time.monotonic()))
        return uuid7()


def test_a_halt_of_the_server_is_in_the_times_of_all_who_came_meanwhile() -> None:
    server, watch = cast("Sender", Halting(time.monotonic() + 0.5)), Watch()

    sent = asyncio.run(OpenLoop(server, watch, rate=20, seconds=0.5, prefix="x").run())

    assert len(sent.accepted) == watch.backlog == 10
    assert max(sent.accepted) > 400
    assert sorted(sent.accepted)[5] > 150  # a closed loop would have sent one order and seen one late answer
    assert max(sent.late) < 100


def test_a_closed_loop_has_no_more_on_the_way_than_it_should() -> None:
    on_the_way, most = [0], [0]

    async def act() -> None:
        on_the_way[0] += 1
        most[0] = max(most[0], on_the_way[0])
        await asyncio.sleep(0.001)
        on_the_way[0] -= 1

    asyncio.run(closed_loop([act] * 20, at_once=4))

    assert (most[0], on_the_way[0]) == (4, 0)


def test_an_order_is_confirmed_when_somebody_else_can_see_it(transactional_db: None) -> None:
    counter = Counter.open("Bench")
    confirmed, rejected = (UUID(send(counter, name).json()["id"]) for name in ("well", "ill"))

    with watching() as watch:
        for order in (confirmed, rejected):
            watch.expect(order, time.monotonic())
        time.sleep(0.2)
        waiting = watch.backlog
        Order.objects.filter(pk=confirmed).update(state="processing")
        Order.objects.filter(pk=rejected).update(state="rejected")
        assert watch.wait(10)

    assert (waiting, watch.most, watch.otherwise) == (2, 2, 1)
    assert 150 < watch.confirmed[0] < 10_000
