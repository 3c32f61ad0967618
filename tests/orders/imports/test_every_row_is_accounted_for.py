"""Whatever a file holds: rows read = rows imported + rows reported, and no reading ends in a traceback."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from orders.imports.online_retail import OnlineRetailFile
from orders.imports.records import BrokenFile, OrderDraft, Record
from tests.orders.imports.builders import HEADER, Given

rows = st.builds(
    Given,
    invoice=st.sampled_from(["536365", "536366", "536367", "C536368", "C536369", "A536370", "", "junk"]),
    code=st.sampled_from(
        ["85123A", "85123a", "84879", "POST", "M", "D", "S", "GIFT_0001_10", "AMAZONFEE", "??"]
    ),
    description=st.sampled_from(["HEART", "", 'A "B", C', "£"]),
    quantity=st.sampled_from([6, 1, -1, -6, 0, "x", 80_995]),
    at=st.sampled_from(["2010-12-01 08:26:00", "2010-12-03 08:26:00", "soon"]),
    price=st.sampled_from(["2.55", "0.0", "0.001", "0.335", "-1.0", "free"]),
    customer=st.sampled_from(["17850.0", "", "12345.0"]),
    country=st.sampled_from(["United Kingdom", "France", "Nowhere"]),
)
good_rows = st.builds(
    Given,
    invoice=st.sampled_from(["536365", "536366", "536367", "C536368", "C536369"]),
    code=st.sampled_from(["85123A", "84879", "POST", "M"]),
    quantity=st.integers(-9, 9).filter(bool),
    price=st.sampled_from(["2.55", "0.0", "0.001", "0.335"]),
    customer=st.sampled_from(["17850.0", "17850"]),
)
texts = st.one_of(
    good_rows.map(str), rows.map(str), st.text(max_size=60).filter(lambda text: "\n" not in text)
)


def _read(content: bytes) -> tuple[list[Record], int]:
    records: list[Record] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        path.write_bytes(content)
        file = OnlineRetailFile(path)
        with suppress(BrokenFile):
            records.extend(file.records())
        return records, file.rows_read


def _accounted(records: list[Record], rows_read: int) -> None:
    lines = [row.line for record in records for row in record.reported]
    imported = sum(len(record.taken) for record in records)
    assert imported + len(lines) == rows_read
    assert len(lines) == len(set(lines))
    assert all(row.code for record in records for row in record.reported)
    assert all(len(record.taken) == 0 for record in records if record.fact is None)
    assert all(len(record.taken) > 0 for record in records if record.fact is not None)


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, max_size=25))
def test_every_row_is_imported_or_reported(lines: list[str]) -> None:
    content = "\n".join([HEADER, *lines, ""]).encode("utf-8", "surrogatepass")

    records, rows_read = _read(content)

    _accounted(records, rows_read)


@settings(max_examples=60, deadline=None)
@given(st.lists(good_rows.map(str), min_size=1, max_size=30), st.floats(0, 1))
def test_every_row_that_could_be_read_of_a_cut_file_is_imported_or_reported(
    lines: list[str], place: float
) -> None:
    whole = gzip.compress("\n".join([HEADER, *lines, ""]).encode())

    records, rows_read = _read(whole[: int(len(whole) * place)])

    _accounted(records, rows_read)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_text_are_reported(noise: bytes) -> None:
    records, rows_read = _read(f"{HEADER}\n{Given()}\n".encode() + noise)

    _accounted(records, rows_read)


@settings(max_examples=150, deadline=None)
@given(st.lists(good_rows.map(str), max_size=25))
def test_an_order_always_sums_to_its_total(lines: list[str]) -> None:
    records, _ = _read("\n".join([HEADER, *lines, ""]).encode())

    for order in (record.fact for record in records if isinstance(record.fact, OrderDraft)):
        assert order.total_minor == order.goods_minor + order.charges_minor
        assert order.goods_minor == sum(line.quantity * line.unit_price_minor for line in order.lines)
        assert all(charge.amount_minor > 0 for charge in order.charges)
