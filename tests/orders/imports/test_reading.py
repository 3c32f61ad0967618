"""A file may be cut, damaged or no order file at all: it is said clearly, and what was read counts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from orders.imports.online_retail import OnlineRetailFile
from orders.imports.online_retail.reading import LONGEST_LINE
from orders.imports.records import BrokenFile, Record
from tests.orders.imports.builders import HEADER, Given, order_of, read, reasons, write


def _read_until_broken(path: Path) -> tuple[list[Record], OnlineRetailFile, BrokenFile]:
    file = OnlineRetailFile(path)
    records: list[Record] = []
    with pytest.raises(BrokenFile) as caught:
        records.extend(file.records())
    return records, file, caught.value


def test_plain_and_gzipped_files_read_the_same(path: Path) -> None:
    plain = read(path, Given(), Given(invoice="536366"))
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))

    assert list(OnlineRetailFile(packed).records()) == plain


def test_a_missing_file_is_said_to_be_missing(path: Path) -> None:
    records, _, error = _read_until_broken(path)

    assert (records, error.code) == ([], "file_not_found")
    assert str(path) in error.detail


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    records, _, error = _read_until_broken(tmp_path)

    assert (records, error.code) == ([], "file_unreadable")


def test_an_empty_file_has_no_header(path: Path) -> None:
    path.write_bytes(b"")

    records, _, error = _read_until_broken(path)

    assert (records, error.code) == ([], "file_empty")


def test_wrong_columns_are_named(path: Path) -> None:
    path.write_text("sku,quantity\n85123A,6\n")

    records, _, error = _read_until_broken(path)

    assert (records, error.code) == ([], "columns_wrong")
    assert "found sku, quantity" in error.detail


def test_a_file_in_another_encoding_is_refused_at_its_header(path: Path) -> None:
    path.write_bytes(f"{HEADER}\n{Given()}\n".encode("utf-16"))

    records, _, error = _read_until_broken(path)

    assert (records, error.code) == ([], "encoding_wrong")


def test_a_byte_order_mark_and_windows_line_ends_are_read(path: Path) -> None:
    path.write_bytes(f"{HEADER}\r\n{Given()}\r\n".encode("utf-8-sig"))

    [record] = OnlineRetailFile(path).records()

    assert order_of(record).total_minor == 1_530


def test_one_row_in_another_encoding_is_reported_alone(path: Path) -> None:
    bad = str(Given(invoice="536366", description="£1 JAR")).encode("latin-1")
    path.write_bytes(f"{HEADER}\n{Given()}\n".encode() + bad + f"\n{Given(invoice='536367')}\n".encode())

    records = list(OnlineRetailFile(path).records())

    assert reasons(records) == [(3, "encoding_wrong")]
    assert [record.reference for record in records if record.fact] == ["536365", "536367"]


def test_a_cut_gzip_file_keeps_what_was_whole_and_reports_the_rest(path: Path) -> None:
    write(
        path,
        *(Given(invoice=str(600_000 + number // 3), at="2011-01-04 10:00:00") for number in range(9_000)),
    )
    whole = gzip.compress(path.read_bytes(), compresslevel=0)
    path.write_bytes(whole[: len(whole) * 2 // 3])

    records, file, error = _read_until_broken(path)

    assert error.code == "gzip_cut"
    assert sum(record.rows for record in records) == file.rows_read
    assert 3_000 < sum(len(record.taken) for record in records) <= file.rows_read - 1_998
    assert {code for _, code in reasons(records)} == {"file_broken"}
    assert all(len(order_of(record).lines) == 3 for record in records if record.fact)


def test_a_damaged_gzip_file_is_said_to_be_damaged(path: Path) -> None:
    packed = bytearray(gzip.compress(f"{HEADER}\n{Given()}\n".encode()))
    packed[-6] ^= 0xFF  # the checksum
    path.write_bytes(bytes(packed))

    records, file, error = _read_until_broken(path)

    assert error.code == "gzip_damaged"
    assert sum(record.rows for record in records) == file.rows_read


def test_a_line_without_end_does_not_fill_the_memory(path: Path) -> None:
    endless = "5" * (3 * LONGEST_LINE)

    records = read(path, Given(), endless, Given(invoice="536367"))

    assert reasons(records) == [(3, "row_too_long")]
    assert [record.reference for record in records if record.fact] == ["536365", "536367"]


def test_empty_lines_are_no_rows(path: Path) -> None:
    path.write_text(f"{HEADER}\n\n{Given()}\n  \n")
    file = OnlineRetailFile(path)

    [record] = file.records()

    assert (record.rows, file.rows_read) == (1, 1)
