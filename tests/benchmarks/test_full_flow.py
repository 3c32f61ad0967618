"""The bare script of the full flow writes what Waybill writes, and whoever forgets a row is found out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection

from benchmarks.full_flow import goods, rows
from benchmarks.full_flow.bare.script import fulfil
from benchmarks.full_flow.providers import YesCarrier, YesGateway
from benchmarks.side_by_side import workload
from benchmarks.side_by_side.workload import Wanted
from payments.gateways import use_gateway
from sagas.bus import subscriptions
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.engine.work import work
from sagas.keeping.sweep import due_steps
from shipping.carriers import use_carrier

ORDERS = 7
QUEUES = frozenset({"orders", "payments", "inventory", "shipping"})


def orders_of(whose: str) -> list[Wanted]:
    """The same orders for everybody, under references of their own."""
    wanted = workload.orders("alike", ORDERS)
    return [replace(order, reference=f"{whose}-{number}") for number, order in enumerate(wanted)]


def references_of(whose: str) -> list[str]:
    return [order.reference for order in orders_of(whose)]


@pytest.fixture
def shop(transactional_db: None) -> Iterator[goods.Shop]:
    """A shop whose gateway and carrier always say yes."""
    use_gateway(YesGateway())
    use_carrier(YesCarrier())
    yield goods.open_shop()
    use_gateway(None)
    use_carrier(None)


@pytest.fixture
def plain(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection without Django, in autocommit."""
    settings = django_connection.settings_dict
    with psycopg.connect(
        host=settings["HOST"], user=settings["USER"], dbname=settings["NAME"], autocommit=True
    ) as connection:
        yield connection


def settle() -> None:
    """Run what is due and deliver what was published until nothing is."""
    busy = 1
    while busy:
        busy = sum(work(name, clock=database_now, queues=QUEUES) for name, _ in due_steps())
        busy += sum(deliver(sub.task(), now=database_now) for sub in subscriptions())


def waybill_does(shop: goods.Shop, whose: str = "waybill") -> None:
    goods.place(shop, orders_of(whose), style="orchestration", placed_at=database_now(), batch=100)
    settle()


def bare_does(shop: goods.Shop, plain: psycopg.Connection[Any], whose: str = "bare") -> None:
    fulfil(plain, orders_of(whose), shop, database_now())


def test_both_leave_the_same_rows_and_change_the_same_counters(
    shop: goods.Shop, plain: psycopg.Connection[Any]
) -> None:
    waybill_does(shop, "before")  # the day's line in the summary is there
    start = rows.Counts.read(plain)
    waybill_does(shop)
    middle = rows.Counts.read(plain)
    bare_does(shop, plain)
    end = rows.Counts.read(plain)

    by_waybill, by_hand = middle.since(start), end.since(middle)
    assert by_waybill["rows of sagas_step"] == (6 * ORDERS,)
    assert by_waybill["rows of sagas_event"] == (8 * ORDERS,)
    assert rows.changes_apart(by_waybill, by_hand) == []
    told = rows.said(plain, references_of("waybill"))
    assert told.total() > 30 * ORDERS
    assert rows.differences(told, rows.said(plain, references_of("bare"))) == []
