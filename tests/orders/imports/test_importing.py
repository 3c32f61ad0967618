"""An import writes what the file says, once, and nothing but orders' own facts."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum

from inventory.models import Stock
from orders import commands
from orders.contract import OpeningStockImported, StockAdjustmentImported
from orders.models import CreditNote, ImportedDocument, ImportFile, Order, OrderLine, Shop
from sagas.models import Saga, StoredEvent
from sagas.personal import Person
from tests.orders.factories import NOW, an_order
from tests.orders.imports.builders import Given, write

pytestmark = pytest.mark.django_db(transaction=True)

ADJUSTMENT = {"customer": "", "price": "0.0"}
SMALL = (
    Given(invoice="536365", quantity=6),
    Given(invoice="536365", code="POST", description="POSTAGE", quantity=1, price="18.00"),
    Given(invoice="536366", code="22423", description="CAKESTAND", quantity=2, price="10.00", customer=""),
    Given(invoice="C536367", quantity=-2, at="2010-12-01 10:00:00"),
    Given(invoice="C536368", code="D", quantity=-1, price="5.00", customer=""),
    Given(invoice="536369", quantity=-3, description="damaged", **ADJUSTMENT),
    Given(invoice="536370", code="AMAZONFEE", quantity=1, price="9.99", customer=""),
)

Run = Callable[..., str]


@pytest.fixture
def run(path: Path) -> Run:
    """Import the file at `path`; what it printed. `run("--dry-run")`."""

    def import_orders(*arguments: str) -> str:
        out = io.StringIO()
        call_command(
            "import_orders", str(path), "--format", "online-retail", *arguments, stdout=out, skip_checks=True
        )
        return out.getvalue()

    return import_orders


def _everything() -> dict[str, int]:
    return {
        model.__name__: model._default_manager.count()
        for model in (
            Order,
            OrderLine,
            CreditNote,
            ImportFile,
            ImportedDocument,
            Saga,
            StoredEvent,
            Person,
            Shop,
        )
    }


def test_an_order_of_the_file_is_placed_with_its_saga(path: Path, run: Run) -> None:
    write(path, *SMALL)

    run()

    order = Order.objects.get(external_reference="536365")
    assert (order.state, order.currency, order.country) == ("draft", "GBP", "GB")
    assert (order.goods_minor, order.charges_minor, order.total_minor) == (1_530, 1_800, 3_330)
    assert list(order.lines.values_list("position", "sku", "name", "quantity", "unit_price_minor")) == [
        (1, "85123A", "WHITE HANGING HEART T-LIGHT HOLDER", 6, 255)
    ]
    assert Saga.objects.get(subject_id=order.pk).definition == "orders.fulfil_order"


def test_every_row_is_accounted_for_and_the_reasons_are_named(path: Path, run: Run) -> None:
    write(path, *SMALL)

    printed = run()

    assert "7 rows read = 6 imported + 1 reported" in printed
    assert "charge_only                   1 rows" in printed
    file = ImportFile.objects.get()
    assert (file.rows_read, file.rows_imported, file.rows_reported, file.state) == (7, 6, 1, "finished")


def test_the_importer_writes_only_orders_own_facts(path: Path, run: Run) -> None:
    write(path, *SMALL)

    run()

    imported = StoredEvent.objects.filter(metadata__actor="import")
    assert sorted(imported.values_list("type", flat=True)) == [
        "orders.CreditNoteImported",
        "orders.CreditNoteImported",
        "orders.OpeningStockImported",
        "orders.OrderPlaced",
        "orders.OrderPlaced",
        "orders.StockAdjustmentImported",
    ]


def test_the_opening_stock_is_on_the_shelf_before_the_first_order(path: Path, run: Run) -> None:
    write(path, *SMALL)

    run()

    event = StoredEvent.objects.get(type=OpeningStockImported.type)
    assert event.data["items"] == [{"sku": "22423", "quantity": 2}, {"sku": "85123A", "quantity": 9}]
    assert dict(Stock.objects.values_list("sku", "on_hand")) == {"22423": 2, "85123A": 9}


def test_skus_can_start_without_stock(path: Path, run: Run) -> None:
    write(path, *SMALL)

    printed = run("--without-stock", "22423, 99999")

    assert dict(Stock.objects.values_list("sku", "on_hand")) == {"85123A": 9}
    assert "2 SKUs: 22423, 99999" in printed


def test_a_seed_draws_skus_that_start_without_stock(path: Path, run: Run) -> None:
    write(path, *(Given(invoice=str(600_000 + n), code=str(10_000 + n), quantity=1) for n in range(100)))

    run("--scarce", "demo")

    assert Stock.objects.aggregate(pieces=Sum("on_hand"))["pieces"] == 98


def test_stock_adjustments_say_why(path: Path, run: Run) -> None:
    write(path, *SMALL)

    run()

    event = StoredEvent.objects.get(type=StockAdjustmentImported.type)
    assert event.data["items"] == [{"sku": "85123A", "quantity": -3, "reason": "damaged"}]


def test_credit_notes_find_their_order_or_are_owed(path: Path, run: Run) -> None:
    write(path, *SMALL)

    run()

    matched = CreditNote.objects.get(reference="C536367")
    assert matched.order is not None
    assert (matched.order.external_reference, matched.kind, matched.state) == (
        "536365",
        "cancellation",
        "waiting",
    )
    assert matched.lines == [{"sku": "85123A", "quantity": 2, "amount_minor": 510}]
    owed = CreditNote.objects.get(reference="C536368")
    assert (owed.order, owed.kind, owed.state, owed.credit_minor) == (None, "allowance", "credited", 500)


def test_a_guest_is_a_person_of_one_order(path: Path, run: Run) -> None:
    write(path, *SMALL)

    run()

    people = {order.person_id for order in Order.objects.all()}
    assert sorted(Person.objects.filter(pk__in=people).values_list("name", flat=True)) == [
        "Customer 17850",
        "Guest",
    ]


def test_the_same_file_twice_changes_nothing(path: Path, run: Run) -> None:
    write(path, *SMALL)
    run()
    before = _everything()

    printed = run()

    assert _everything() == before
    assert "7 rows read = 6 imported + 1 reported" in printed
    assert "order                     0 new        2 imported before" in printed


def test_the_same_orders_packed_and_renamed_change_nothing(path: Path, run: Run, tmp_path: Path) -> None:
    write(path, *SMALL)
    run()
    before = _everything()
    packed = tmp_path / "again.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))

    call_command("import_orders", str(packed), "--format", "online-retail", skip_checks=True)

    assert _everything() == before | {"ImportFile": 2}


def test_an_order_that_changed_since_is_reported_and_stands(path: Path, run: Run) -> None:
    write(path, Given(), Given(invoice="536366"))
    run()
    write(path, Given(quantity=7), Given(invoice="536366"), Given(invoice="536367"))

    printed = run()

    assert "imported_differently          1 rows" in printed
    assert Order.objects.get(external_reference="536365").lines.get().quantity == 6
    assert Order.objects.count() == 3


def test_a_reference_that_the_shop_has_used_is_reported(path: Path, run: Run) -> None:
    shop, _ = commands.create_shop("Online Retail", slug="online-retail", now=NOW)
    commands.place_order(an_order(shop_id=shop.pk, external_reference="536365"), now=NOW)
    write(path, Given(), Given(invoice="536366"))

    printed = run()

    assert "reference_taken               1 rows" in printed
    assert sorted(Order.objects.values_list("external_reference", "currency")) == [
        ("536365", "EUR"),
        ("536366", "GBP"),
    ]


def test_an_order_that_orders_refuses_is_reported_alone(path: Path, run: Run) -> None:
    write(path, Given(quantity=2_000_000), Given(invoice="536366"))

    printed = run()

    assert "orders.amount_invalid         1 rows" in printed
    assert Order.objects.get().external_reference == "536366"


def test_two_shops_may_have_the_same_invoice_numbers(path: Path, run: Run) -> None:
    for slug in ("first", "second"):
        commands.create_shop(slug, slug=slug, now=NOW)
    write(path, *SMALL)

    run("--shop", "first")
    run("--shop", "second")

    assert Order.objects.filter(external_reference="536365").count() == 2


def test_a_dry_run_writes_nothing(path: Path, run: Run) -> None:
    write(path, *SMALL)
    before = _everything()

    printed = run("--dry-run")

    assert _everything() == before
    assert "Nothing was written" in printed
    assert "order                     2 new" in printed


def test_a_limit_imports_the_first_documents_and_the_rest_may_follow(path: Path, run: Run) -> None:
    write(path, *SMALL)

    printed = run("--limit", "2")

    assert "3 rows read = 3 imported + 0 reported" in printed
    assert (Order.objects.count(), CreditNote.objects.count()) == (2, 0)
    run()
    assert (Order.objects.count(), CreditNote.objects.count()) == (2, 2)
    assert dict(Stock.objects.values_list("sku", "on_hand")) == {"22423": 2, "85123A": 9}


def test_the_report_names_each_row_left_out(path: Path, run: Run, tmp_path: Path) -> None:
    write(path, *SMALL, Given(invoice="=1+1"), "536371,@SUM(A1),,1,2010-12-01 08:26:00,1.0,,United Kingdom")
    report = tmp_path / "report.csv"

    run("--report", str(report))

    with report.open(newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == ["line", "document", "reason", "detail"]
    assert found[1:] == [
        ["9", "", "invoice_wrong", "InvoiceNo is '=1+1'"],
        ["8", "536370", "charge_only", ""],
        ["10", "536371", "stock_code_unknown", "StockCode is '@SUM(A1)'"],
    ]


def test_a_shop_that_does_not_exist_is_named(path: Path, run: Run) -> None:
    write(path, *SMALL)

    with pytest.raises(CommandError, match="no shop nobody"):
        run("--shop", "nobody")


def test_a_report_that_cannot_be_written_stops_before_anything_is_done(path: Path, run: Run) -> None:
    write(path, *SMALL)

    with pytest.raises(CommandError, match="report cannot be written"):
        run("--report", "/nowhere/report.csv")

    assert Order.objects.count() == 0


def test_a_broken_file_keeps_what_was_whole_and_goes_on_when_mended(path: Path, run: Run) -> None:
    rows = [Given(invoice=str(600_000 + n // 3), quantity=1) for n in range(7_500)]
    write(path, *rows)
    whole = gzip.compress(path.read_bytes(), compresslevel=0)
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(CommandError, match="gzip_cut"):
        run()

    half = Order.objects.count()
    assert 300 < half < 1_250
    assert ImportFile.objects.get().state == "broken"
    path.write_bytes(whole)
    run()
    assert Order.objects.count() == 2_500
    assert Stock.objects.get().on_hand == 7_500


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b"sku,quantity\n", "columns_wrong"),
        ("InvoiceNo".encode("utf-16"), "encoding_wrong"),
        (gzip.compress(b"InvoiceNo", mtime=0)[:12], "gzip_cut"),
    ],
)
def test_a_file_that_is_none_is_an_error_not_a_traceback(
    path: Path, run: Run, content: bytes, code: str
) -> None:
    path.write_bytes(content)

    with pytest.raises(CommandError, match=code):
        run()

    assert Order.objects.count() == 0


def test_a_missing_file_is_said_to_be_missing(run: Run) -> None:
    with pytest.raises(CommandError, match="file_not_found"):
        run()
