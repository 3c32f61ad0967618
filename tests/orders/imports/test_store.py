"""What stands around the writing: one import at a time, stock before orders, one bad document alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import DataError, connection, transaction

from orders.commands import place_orders
from orders.imports.alone import ImportRunning, alone
from orders.imports.models import ImportFile
from orders.imports.stock import StockNotTold, import_opening_stock, tell_of_opening_stock
from orders.imports.store import Store
from orders.intake import PlaceOrder
from orders.models import ImportedDocument, Order
from sagas.ids import uuid7
from sagas.sql import execute
from tests.orders.factories import NOW, a_shop
from tests.orders.imports.builders import Given, read

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def _elsewhere(hold: Any) -> Iterator[None]:
    """Enter a context on another connection, and leave it at the end."""
    inside, done = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with hold():
                inside.set()
                done.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert inside.wait(20)
    try:
        yield
    finally:
        done.set()
        thread.join()


def _file() -> ImportFile:
    return ImportFile.objects.create(
        shop=a_shop(), format="online-retail", name="orders.csv", digest="0", began_at=NOW
    )


def test_one_import_at_a_time_for_a_shop() -> None:
    shop_id, other = uuid7(), uuid7()

    with _elsewhere(lambda: alone(shop_id)):
        with pytest.raises(ImportRunning), alone(shop_id, patience_seconds=0):
            pass
        with alone(other, patience_seconds=0):
            pass

    with alone(shop_id, patience_seconds=0):
        pass


def test_the_opening_stock_is_published_once() -> None:
    file = _file()

    first = import_opening_stock(file.pk, file.shop_id, {"PEN": 3}, now=NOW)
    again = import_opening_stock(file.pk, file.shop_id, {"PEN": 9}, now=NOW)

    assert (first, again) == (True, False)
    tell_of_opening_stock(file.pk)
    tell_of_opening_stock(file.pk)
    assert _on_hand() == [("PEN", 3)]


def test_no_order_is_placed_while_the_stock_cannot_be_told() -> None:
    file = _file()
    import_opening_stock(file.pk, file.shop_id, {"PEN": 3}, now=NOW)

    @contextmanager
    def unfinished() -> Iterator[None]:
        """A writing transaction that began before: the feed waits for it."""
        with transaction.atomic():
            execute("UPDATE orders_importfile SET name = 'x' WHERE id = %s", [file.pk])
            yield

    with _elsewhere(unfinished):
        later = ImportFile.objects.create(
            shop_id=file.shop_id, format="online-retail", name="more.csv", digest="1", began_at=NOW
        )
        import_opening_stock(later.pk, later.shop_id, {"PEN": 4}, now=NOW)
        with pytest.raises(StockNotTold, match=r"inventory\.imported_stock"):
            tell_of_opening_stock(later.pk, patience_seconds=0.3)

    tell_of_opening_stock(later.pk)
    assert _on_hand() == [("PEN", 7)]


def test_a_document_the_database_refuses_is_found_and_reported_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _file()

    def refusing(orders: Sequence[PlaceOrder], **more: Any) -> Any:
        if any(order.external_reference == "600005" for order in orders):
            raise DataError("value out of range\nLINE 1: and what it came from")
        return place_orders(orders, **more)

    monkeypatch.setattr("orders.imports.store.place_orders", refusing)
    records = read(path, *(Given(invoice=str(600_000 + n)) for n in range(9)))

    written = Store(shop_id=file.shop_id, file_id=file.pk, names={}, style="orchestration").write(
        records, now=NOW
    )

    assert [one.record.reference for one in written] == [record.reference for record in records]
    reported = [row for one in written for row in one.record.reported]
    assert [(row.line, row.code, row.detail) for row in reported] == [
        (7, "refused_by_database", "value out of range")
    ]
    assert Order.objects.count() == ImportedDocument.objects.count() == 8


def _on_hand() -> list[tuple[str, int]]:
    from inventory.models import Stock

    return list(Stock.objects.values_list("sku", "on_hand"))
