"""The flow written by hand does what Waybill does, row by row and call by call; whatever is missing is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection

from benchmarks.full_flow import calls, checks, goods, meters, report, rows
from benchmarks.full_flow.bare import script, statements
from benchmarks.full_flow.loads import Load
from benchmarks.full_flow.providers import YesCarrier, YesGateway
from benchmarks.side_by_side import workload
from benchmarks.side_by_side.workload import Wanted
from config.audit import audit
from payments.gateways import use_gateway
from sagas.clock import database_now, travel
from sagas.sql import execute
from shipping.carriers import use_carrier
from tests.sandbox_process import running_sandbox
from tests.scenarios.settling import settle
from tests.waiting import eventually

ORDERS = 7
OTHER_PAYMENT = """
UPDATE sagas_saga s SET context = s.context || jsonb_build_object('payment_id', p.id)
  FROM payments_payment p WHERE p.reference = 'hand-5' AND s.reference = 'hand-2'
"""
#: A process that starts another one which computes, and does nothing itself.
PARENT = """
import subprocess, sys, time
subprocess.run([sys.executable, "-c", "sum(range(30_000_000))"])
time.sleep(60)
"""
Plain = psycopg.Connection[Any]


def orders_of(whose: str) -> list[Wanted]:
    """The same orders for everybody, under references of their own."""
    wanted = workload.orders("alike", ORDERS)
    return [replace(order, reference=f"{whose}-{number}") for number, order in enumerate(wanted)]


def references_of(whose: str) -> list[str]:
    return [order.reference for order in orders_of(whose)]


@pytest.fixture
def shop(transactional_db: None) -> Iterator[goods.Shop]:
    """A shop whose gateway and carrier are in this process and always say yes."""
    use_gateway(YesGateway())
    use_carrier(YesCarrier())
    travel(0)
    yield goods.open_shop()
    use_gateway(None)
    use_carrier(None)
    travel(0)


@pytest.fixture
def plain(shop: goods.Shop) -> Iterator[Plain]:
    """A connection without Django, to a database in which the day's line of the summary is there already."""
    waybill_does(shop, "before")
    at = django_connection.settings_dict
    with psycopg.connect(host=at["HOST"], user=at["USER"], dbname=at["NAME"], autocommit=True) as connection:
        yield connection


def waybill_does(shop: goods.Shop, whose: str = "waybill") -> None:
    goods.place(shop, orders_of(whose), style="orchestration", placed_at=database_now(), batch=100)
    settle()


def hand_does(shop: goods.Shop, plain: Plain, whose: str = "hand") -> None:
    script.fulfil(plain, orders_of(whose), shop, database_now())


def grown(plain: Plain, do: Callable[[], object]) -> dict[str, tuple[int, ...]]:
    """What a deed adds to the tables and counters."""
    before = rows.Counts.read(plain)
    do()
    return rows.Counts.read(plain).since(before)


def apart(plain: Plain) -> list[str]:
    """Rows that only one of the two has left."""
    ours, theirs = rows.said(plain, references_of("waybill")), rows.said(plain, references_of("hand"))
    return rows.differences(ours, theirs)


def test_both_leave_the_same_rows_and_change_the_same_counters(shop: goods.Shop, plain: Plain) -> None:
    by_waybill = grown(plain, lambda: waybill_does(shop))
    by_hand = grown(plain, lambda: hand_does(shop, plain))

    assert by_waybill["rows of sagas_step"] == (6 * ORDERS,)
    assert by_waybill["rows of sagas_event"] == (8 * ORDERS,)
    assert rows.changes_apart(by_waybill, by_hand) == []
    assert rows.said(plain, references_of("hand")).total() > 30 * ORDERS
    assert apart(plain) == []


def test_the_books_balance_for_what_was_written_by_hand_too(shop: goods.Shop, plain: Plain) -> None:
    hand_does(shop, plain)

    assert [(f.name, f.examples) for f in audit(None) if f.breaches] == []


def test_every_row_that_is_counted_is_compared(shop: goods.Shop, plain: Plain) -> None:
    added = grown(plain, lambda: hand_does(shop, plain))

    counted = sum(change[0] for name, change in added.items() if name.startswith("rows of "))
    assert rows.said(plain, references_of("hand")).total() == counted


@pytest.mark.parametrize(
    "table", ["orders_parcel", "sagas_step", "shipping_shipmentline", "orders_orderviewsku"]
)
def test_a_row_that_is_missing_is_found(shop: goods.Shop, plain: Plain, table: str) -> None:
    waybill_does(shop)
    hand_does(shop, plain)
    one = f"SELECT ctid FROM {table} WHERE {rows.TABLES[table]} LIMIT 1"
    order = plain.execute("SELECT id FROM orders_order WHERE external_reference = 'hand-3'").fetchone()
    assert order is not None

    added = grown(
        plain,
        lambda: plain.execute(f"DELETE FROM {table} WHERE ctid = ({one})", {"orders": [order[0]]}),
    )

    assert added == {f"rows of {table}": (-1,)}
    (line,) = apart(plain)
    assert line.startswith(f"only the first has: {table}: ")
    assert "of 3" in line


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE shipping_shipment SET ready_at = NULL WHERE reference = 'hand-2'", "ready_at=None"),
        ("UPDATE payments_payment SET version = 3 WHERE reference = 'hand-2'", "version=3"),
        (OTHER_PAYMENT, "payment_id=payment of 5"),
    ],
)  # fmt: skip
def test_a_value_that_is_another_is_found(shop: goods.Shop, plain: Plain, change: str, told: str) -> None:
    waybill_does(shop)
    hand_does(shop, plain)

    plain.execute(change)

    ours, theirs = apart(plain)
    assert told not in ours
    assert theirs.startswith("only the second has: ")
    assert told in theirs


def without(*left_out: str) -> list[list[str]]:
    """The flow without some of its statements."""
    return [[statement for statement in step if statement not in left_out] for step in statements.FLOW]


def test_a_statement_that_is_left_out_is_found(
    shop: goods.Shop, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_waybill = grown(plain, lambda: waybill_does(shop))
    monkeypatch.setattr(script, "FLOW", without(statements.PARCELS, statements.CLEAR))

    by_hand = grown(plain, lambda: hand_does(shop, plain))

    assert rows.changes_apart(by_waybill, by_hand) == [f"rows of orders_parcel: ({ORDERS},) and None"]
    assert {line.split(": ")[1] for line in apart(plain)} == {"orders_parcel", "shipping_shipment"}


def test_a_counter_that_is_moved_less_is_found(
    shop: goods.Shop, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_waybill = grown(plain, lambda: waybill_does(shop))
    monkeypatch.setattr(script, "FLOW", without(statements.ALLOCATE_STOCK))

    by_hand = grown(plain, lambda: hand_does(shop, plain))

    skus = {line.sku for order in orders_of("any") for line in order.lines}
    found = rows.changes_apart(by_waybill, by_hand, limit=1_000)
    assert {line.partition(":")[0] for line in found} == {f"stock of {sku}" for sku in skus}


def test_both_make_the_same_calls_and_one_too_few_is_found(
    shop: goods.Shop, plain: Plain, tmp_path: Path, settings: Any
) -> None:
    use_gateway(None)
    use_carrier(None)
    with running_sandbox(tmp_path, "--profile", "quiet") as sandbox:
        settings.WAYBILL = replace(settings.WAYBILL, sandbox_url=sandbox.url)
        waybill_does(shop)
        task = calls.Task(url=sandbox.url, name="", orders=0, shop_id=shop.id, concurrency=1)
        for order in orders_of("hand"):
            calls.Caller(task).fulfil(order)

        assert checks.other_calls(sandbox.url, "waybill", "hand", ORDERS) == []
        assert checks.provider_differs(sandbox.url, "waybill-") == []

        calls.Caller(task).fulfil(orders_of("hand")[4])
        execute("UPDATE payments_payment SET provider_id = 'pi_other' WHERE reference = 'waybill-6'")

        (line,) = checks.other_calls(sandbox.url, "waybill", "hand", ORDERS)
        assert line.startswith("order 4: ")
        assert len(checks.provider_differs(sandbox.url, "waybill-")) == 2


def test_the_report_says_which_target_was_met() -> None:
    def load(rate: float) -> Load:
        return Load(100, 100 / rate, 100 / rate, {"commits": 0.2, "cpu ms, postgres": 900 / rate})

    rates = {"orchestration": 400, "choreography": 300, "same rows by hand": 1_000, "same calls by hand": 500}
    sides = report.figures(
        {side: [load(rate), load(rate * 3), load(rate / 2)] for side, rate in rates.items()}
        | {"orchestration over HTTP": [load(290)], "choreography over HTTP": [load(310)]}
    )

    met = {one["what"]: one["met"] for one in report.ratios(sides)}

    assert sides["orchestration"]["orders/s"] == pytest.approx(400)
    assert met == {
        "orchestration / same rows by hand": True,
        "choreography / same rows by hand": False,
        "orchestration over HTTP / same calls by hand": False,
        "choreography over HTTP / same calls by hand": True,
        "choreography / orchestration": False,
        "choreography over HTTP / orchestration over HTTP": True,
    }
    run = {"at": "now", "machine": {"cores": 2}, "sides": sides, "ratios": report.ratios(sides), "wrong": []}
    text = report.markdown(run)
    assert "| orchestration / same rows by hand | 0.40 | 0.35 | yes | 0.40 |" in text
    assert "| orders/s (median) | 400 | 300 | 1,000 | 500 | 290 | 310 |" in text


def test_processor_time_is_counted_over_a_process_and_all_it_started() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT]) as process:
        assert eventually(lambda: meters.cpu_under(process.pid) > 0.3)
        own = meters.cpu_of(process.pid)
        process.kill()

    assert own < 0.3
    assert meters.cpu_under(process.pid) == 0
