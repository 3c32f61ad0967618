"""An import may be killed at any moment: run again, it leaves the same rows as one that was never killed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from inventory.models import Movement
from orders import commands
from orders.models import CreditNote, ImportedDocument, ImportFile, Order, OrderLine
from sagas.models import Saga, StoredEvent
from tests.conftest import Manage
from tests.orders.factories import NOW
from tests.orders.imports.builders import Given, write

pytestmark = pytest.mark.django_db(transaction=True)

PLACES = [
    "orders.import.before_commit",
    "orders.import.before_commit:3",
    "orders.import.after_commit",
    "orders.import.after_stock",
]


@pytest.fixture
def file(path: Path) -> Path:
    """480 orders, 60 credit notes and 60 corrections: three batches."""
    rows: list[Given] = []
    for n in range(60):
        orders = [
            Given(invoice=str(600_000 + 8 * n + k), code=str(10_000 + n), quantity=k + 1) for k in range(8)
        ]
        note = Given(invoice=f"C{700_000 + n}", code=str(10_000 + n), quantity=-3, at="2010-12-05 10:00:00")
        lost = Given(invoice=str(800_000 + n), code=str(10_000 + n), quantity=-1, customer="", price="0.0")
        rows += [*orders, note, lost]
    return write(path, *rows)


@pytest.mark.parametrize("place", PLACES)
def test_f82_killed_and_run_again_gives_the_same_rows(place: str, file: Path, manage: Manage) -> None:
    for slug in ("killed", "spared"):
        commands.create_shop(slug, slug=slug, now=NOW)
    arguments = ("import_orders", str(file), "--format", "online-retail", "--skip-checks", "--shop")

    died = manage(*arguments, "killed", env={"WAYBILL_CRASH_POINT": place})
    again = manage(*arguments, "killed")
    spared = manage(*arguments, "spared")

    assert died.returncode == -signal.SIGKILL
    assert (again.returncode, spared.returncode) == (0, 0), again.stderr + spared.stderr
    assert "600 rows read = 600 imported + 0 reported" in again.stdout
    assert _rows("killed") == _rows("spared")
    assert Order.objects.filter(shop__slug="killed").count() == 480


def _rows(slug: str) -> dict[str, list[Any]]:
    orders = Order.objects.filter(shop__slug=slug)
    ids = list(orders.values_list("pk", flat=True))
    shop = orders.first().shop_id  # type: ignore[union-attr]
    return {
        "orders": sorted(
            orders.values_list("external_reference", "total_minor", "placed_at", "state", "version")
        ),
        "lines": sorted(
            OrderLine.objects.filter(order__in=ids).values_list(
                "order__external_reference", "position", "sku", "name", "quantity"
            )
        ),
        "sagas": sorted(Saga.objects.filter(shop_id=shop).values_list("reference", "definition", "state")),
        "events": sorted(
            StoredEvent.objects.filter(stream__in=ids).values_list("type", "data__external_reference")
        ),
        "adjustments": sorted(
            StoredEvent.objects.filter(
                type="orders.StockAdjustmentImported", data__shop_id=str(shop)
            ).values_list("data__reference", flat=True)
        ),
        "credits": sorted(
            CreditNote.objects.filter(shop__slug=slug).values_list(
                "reference", "order__external_reference", "kind", "amount_minor"
            )
        ),
        "documents": sorted(
            ImportedDocument.objects.filter(shop__slug=slug).values_list("reference", "rows_imported")
        ),
        "file": list(
            ImportFile.objects.filter(shop__slug=slug).values_list("state", "rows_read", "rows_imported")
        ),
        "movements": sorted(
            Movement.objects.filter(shop_id=shop, kind="receipt").values_list("sku", "quantity")
        ),
    }
