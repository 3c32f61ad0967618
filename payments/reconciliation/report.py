"""The report of a reconciliation: three CSV files that a spreadsheet can open without harm."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from payments.reconciliation.rows import Case, ReconciliationRun
from payments.reconciliation.tally import COUNTS, total_lines

#: A cell that begins so would be run as a formula by a spreadsheet.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
BATCH = 1000

CASES = (
    "case", "kind", "object", "reference", "at_stake_minor", "currency", "first_seen", "last_seen", "ours", "theirs",
)  # fmt: skip


class ReportRefused(Exception):
    """The report cannot be written where it was asked for."""


def write_report(
    folder: Path, run: ReconciliationRun | None, balance: Mapping[tuple[str, str], int]
) -> list[Path]:
    """Write `summary.csv`, `differences.csv` (every open case) and `trial_balance.csv`. Raises ReportRefused."""
    tables = {
        "summary.csv": (("what", "currency", "ours", "theirs"), summary(run)),
        "differences.csv": (CASES, open_cases()),
        "trial_balance.csv": (
            ("account", "currency", "balance_minor"),
            ((account, currency, amount) for (account, currency), amount in sorted(balance.items())),
        ),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write(folder / name, columns, rows) for name, (columns, rows) in tables.items()]
    except OSError as error:
        raise ReportRefused(f"{error.filename}: {error.strerror}") from error


def summary(run: ReconciliationRun | None) -> Iterator[tuple[object, ...]]:
    """What the run counted, and the money on both sides."""
    if run is None:
        return
    yield "run", "", str(run.pk), ""
    yield "scope", "", run.scope, ""
    yield "result", "", run.result, run.trouble
    for name in COUNTS:
        yield name, "", getattr(run, name), ""
    for currency, what, ours, theirs in total_lines(run):
        yield what, currency, ours, theirs


def open_cases() -> Iterator[tuple[object, ...]]:
    """Every open case, by kind."""
    found = Case.objects.filter(state=Case.State.OPEN).order_by("kind", "id")
    for case in found.iterator(chunk_size=BATCH):
        yield (
            case.pk, case.kind, case.object_id, case.reference, case.at_stake_minor, case.currency,
            case.first_seen.isoformat(), case.last_seen.isoformat(), _words(case.ours), _words(case.theirs),
        )  # fmt: skip


def neutral(cell: object) -> object:
    """The cell with a quote before it if a spreadsheet would take it for a formula. Numbers stay numbers."""
    if isinstance(cell, int):
        return cell
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _words(side: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in side.items())


def _write(path: Path, columns: Iterable[str], rows: Iterable[tuple[object, ...]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([neutral(cell) for cell in row] for row in rows)
    return path
