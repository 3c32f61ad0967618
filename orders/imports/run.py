"""One import from beginning to end: survey, opening stock, batches, the final count."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from orders.contract import ORCHESTRATION
from orders.imports.models import ImportFile
from orders.imports.records import BrokenFile, OrderFile, Record
from orders.imports.report import Report
from orders.imports.stock import import_opening_stock, tell_of_opening_stock
from orders.imports.store import Store, Written, already, known_documents
from orders.imports.survey import Survey
from orders.imports.tally import Tally
from sagas.crash import crash_point

#: Documents written in one commit, unless they are so large that fewer fill it.
BATCH_DOCUMENTS = 200
BATCH_ROWS = 10_000


class Display(Protocol):
    """Somebody who is shown how far the import has come."""

    def surveying(self, rows: int) -> None: ...
    def importing(self, tally: Tally, *, rows_in_all: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller asks for. `scarce_seed` draws SKUs that start empty, `without_stock` names them.

    `style` is who leads the orders.
    """

    limit: int | None = None
    scarce_seed: str = ""
    without_stock: frozenset[str] = frozenset()
    style: str = ORCHESTRATION


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `broken` is why the file could not be read to the end."""

    tally: Tally
    survey: Survey
    without_stock: tuple[str, ...]
    matches: Mapping[str, int]
    broken: BrokenFile | None


def survey_file(source: OrderFile, shop_id: UUID | None, display: Display) -> Survey:
    """Read the file once. Documents not imported yet count for the stock; all count for names."""
    survey = Survey()
    try:
        for batch in batches(source.records()):
            known = known_documents(shop_id, (r.reference for r in batch)) if shop_id else {}
            for record in batch:
                survey.add(record, needs_stock=record.reference not in known)
            display.surveying(source.rows_read)
    except BrokenFile:
        return survey  # the import itself will say so, after it has taken what there is
    return survey


def dry_run(source: OrderFile, shop_id: UUID | None, wish: Wish, display: Display, report: Report) -> Outcome:
    """Do everything but write."""
    survey = survey_file(source, shop_id, display)
    rows_in_all = source.rows_read

    def look(batch: Sequence[Record]) -> list[Written]:
        known = known_documents(shop_id, (r.reference for r in batch)) if shop_id else {}
        return [already(record, known) for record in batch]

    tally, broken = _pass(source, wish, look, report, lambda t: display.importing(t, rows_in_all=rows_in_all))
    return Outcome(tally, survey, _without(survey, wish), source.matches, broken)


def import_file(
    source: OrderFile,
    file: ImportFile,
    wish: Wish,
    display: Display,
    report: Report,
    *,
    clock: Callable[[], datetime],
) -> Outcome:
    """Import a file: safe to kill at any moment, and to run again. Raises stock.StockNotTold."""
    survey = survey_file(source, file.shop_id, display)
    rows_in_all = source.rows_read
    without = _without(survey, wish)
    import_opening_stock(file.pk, file.shop_id, survey.opening_stock(without), now=clock())
    crash_point("orders.import.after_stock")
    tell_of_opening_stock(file.pk)
    store = Store(shop_id=file.shop_id, file_id=file.pk, names=survey.names(), style=wish.style)

    def write(batch: Sequence[Record]) -> list[Written]:
        return store.write(batch, now=clock())

    tally, broken = _pass(
        source, wish, write, report, lambda t: display.importing(t, rows_in_all=rows_in_all)
    )
    _close(file, tally, broken, whole=wish.limit is None, now=clock())
    return Outcome(tally, survey, without, source.matches, broken)


def known_file(path: Path, format_: str, shop_id: UUID, *, now: datetime) -> ImportFile:
    """The record of this file, found by its content or begun now. Raises BrokenFile if it cannot be read."""
    file, _ = ImportFile.objects.get_or_create(
        shop_id=shop_id,
        digest=_digest(path),
        defaults={"format": format_, "name": path.name[:200], "began_at": now},
    )
    return file


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Cut a stream into batches for one commit each. What was read before the file broke is given first."""
    batch: list[Record] = []
    rows = 0
    try:
        for record in records:
            batch.append(record)
            rows += record.rows
            if len(batch) >= BATCH_DOCUMENTS or rows >= BATCH_ROWS:
                yield batch
                batch, rows = [], 0
    except BrokenFile:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _pass(
    source: OrderFile,
    wish: Wish,
    write: Callable[[Sequence[Record]], list[Written]],
    report: Report,
    show: Callable[[Tally], None],
) -> tuple[Tally, BrokenFile | None]:
    tally = Tally()
    broken = None
    show(tally)
    try:
        for batch in batches(source.records(limit=wish.limit)):
            written = write(batch)
            tally.add(written)
            for one in written:
                report.add(one.record.reported)
            tally.rows_read = source.rows_read
            show(tally)
    except BrokenFile as error:
        broken = error
    tally.rows_read = source.rows_read
    return tally, broken


def _without(survey: Survey, wish: Wish) -> tuple[str, ...]:
    drawn = survey.scarce_skus(wish.scarce_seed) if wish.scarce_seed else ()
    return tuple(sorted({*drawn, *wish.without_stock}))


def _close(file: ImportFile, tally: Tally, broken: BrokenFile | None, *, whole: bool, now: datetime) -> None:
    """Note how it ended. Figures that do not balance are not stored: the caller fails loudly."""
    if broken is not None:
        file.state, file.error = ImportFile.State.BROKEN, str(broken)[:500]
    elif whole:
        file.state, file.error = ImportFile.State.FINISHED, ""
    if tally.balanced:
        file.rows_read, file.rows_imported = tally.rows_read, tally.rows_imported
        file.rows_reported = tally.rows_reported
    file.ended_at = now
    file.save(update_fields=["state", "error", "rows_read", "rows_imported", "rows_reported", "ended_at"])


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise BrokenFile("file_not_found", f"{path} does not exist") from error
    except OSError as error:
        raise BrokenFile("file_unreadable", f"{path}: {error.strerror}") from error
