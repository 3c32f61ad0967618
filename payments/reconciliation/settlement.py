"""Taking in a settlement report: every line is matched and booked, or there is a case; the same file only once.

A batch of lines is one commit, and the file's row says how many are in: killed, the next import goes on there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction

from payments.commands.ledger import Entry, Kind, book, settlement
from payments.models import Refund
from payments.reconciliation import cases, ours
from payments.reconciliation.compare import Finding, OurPayment, OurRefund
from payments.reconciliation.fees import Fee, read_fees
from payments.reconciliation.rows import Case, SettlementFile, SettlementLine
from payments.reconciliation.settled_disputes import SettledDispute, settled_disputes
from payments.reconciliation.settlement_format import Line, Looked, look_through, read_lines
from sagas.ids import uuid7
from sagas.sql import execute, rows

BATCH = 500
#: Clocks and days of two houses differ: what moved so near to the first or last day's edge may stand in another file.
EDGE = timedelta(hours=1)
FIRST = UUID(int=0)
Match, Type, Cased = SettlementLine.Match, SettlementLine.Type, Case.Kind
Known = OurPayment | OurRefund

SETTLED = (
    "SELECT identity FROM payments_settlementline WHERE identity = ANY(%s::text[]) AND match <> 'doubled'"
)
MISSING = """
SELECT e.id, e.kind, {name} FROM payments_journalentry e JOIN {table} o ON o.id = {source}
 WHERE e.kind = %s AND e.id > %s AND e.at >= %s AND e.at < %s AND o.provider_id <> ''
   AND o.currency IN (SELECT currency FROM payments_settlementline WHERE file_id = %s)
   AND NOT EXISTS (SELECT FROM payments_settlementline s WHERE s.object_id = o.provider_id AND s.type = %s)
 ORDER BY e.id LIMIT %s
"""
MISSING_CAPTURES = MISSING.format(name="o.provider_id", table="payments_payment", source="e.payment_id")
MISSING_REFUNDS = MISSING.format(name="o.provider_id", table="payments_refund", source="e.source_id")
MATCHED = "UPDATE payments_settlementline SET match = 'matched' WHERE id = ANY(%s::uuid[])"


@dataclass(frozen=True)
class ImportedFile:
    """What came of an import. `known`: the same file was taken in before, so nothing happened."""

    known: bool
    lines: int
    booked: int


def import_settlement(path: Path, *, now: datetime) -> ImportedFile:
    """Take in a report. Safe to repeat, and to kill. Raises BadSettlement, and then nothing was stored."""
    looked = look_through(path)
    file = _file(path, looked, now)
    if file.finished_at is not None:
        return ImportedFile(known=True, lines=file.lines, booked=0)
    fees = read_fees(settings.WAYBILL.settlement_fees)
    booked = 0
    for batch in _batches(islice(read_lines(path), file.stored, None)):
        with transaction.atomic():
            booked += _take_in(file, batch, fees, now=now)
    with transaction.atomic():
        _missing(file, now=now)
        file.finished_at = now
        file.save(update_fields=["finished_at"])
    rematch(now=now)
    return ImportedFile(known=False, lines=file.lines, booked=booked)


def rematch(*, now: datetime) -> int:
    """Look once more for what unknown lines are about: a payment may have been adopted since. How many matched."""
    matched, cursor = 0, FIRST
    while page := list(
        SettlementLine.objects.filter(match=Match.UNKNOWN, id__gt=cursor).order_by("id")[:BATCH]
    ):
        cursor = page[-1].pk
        lines = {_line_of(row): row.pk for row in page}
        known = _known(lines)
        found = [line for line in lines if line.identity in known]
        with transaction.atomic():
            execute(MATCHED, [[lines[line] for line in found]])
            _write_cases(found, known, read_fees(settings.WAYBILL.settlement_fees), now=now)
        matched += len(found)
    return matched


def _file(path: Path, looked: Looked, now: datetime) -> SettlementFile:
    file, _ = SettlementFile.objects.get_or_create(
        sha256=looked.sha256,
        defaults={
            "name": path.name[:200], "lines": looked.lines, "first_day": looked.first_day,
            "last_day": looked.last_day, "imported_at": now,
        },
    )  # fmt: skip
    return file


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while batch := list(islice(lines, BATCH)):
        yield batch


def _take_in(file: SettlementFile, batch: Sequence[Line], fees: dict[str, Fee], *, now: datetime) -> int:
    """One batch: stored, booked, compared. How many lines were booked."""
    new, doubled = _apart(batch)
    known = _known(new)
    stored = [_row(file, line, _match(line, known)) for line in new]
    stored += [_row(file, line, Match.DOUBLED) for line in doubled]
    SettlementLine.objects.bulk_create(stored)
    booked = book(_entries(stored[: len(new)], known), at=now)
    _write_cases(new, known, fees, now=now)
    cases.record([_doubled(file, line) for line in doubled], run=None, now=now)
    file.stored += len(batch)
    file.save(update_fields=["stored"])
    return len(booked)


def _apart(batch: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Lines about movements that are settled for the first time, and the others."""
    settled = {name for (name,) in rows(SETTLED, [[line.identity for line in batch]])}
    new: list[Line] = []
    doubled: list[Line] = []
    for line in batch:
        (doubled if line.identity in settled else new).append(line)
        settled.add(line.identity)
    return new, doubled


def _known(lines: Iterable[Line]) -> dict[str, Known]:
    """What captures and refunds are about, by the identity of the line. Two statements."""
    captures = {line.object_id: line.identity for line in lines if line.type == Type.CAPTURE}
    back = {line.object_id: line.identity for line in lines if line.type == Type.REFUND}
    found: dict[str, Known] = {captures[i]: p for i, p in ours.payments_named(list(captures)).items()}
    refunds = ours.refunds_of(list(back), []) if back else []
    return found | {back[r.provider_id]: r for r in refunds if r.provider_id in back}


def _match(line: Line, known: dict[str, Known]) -> SettlementLine.Match:
    ours_to_know = line.type in (Type.CAPTURE, Type.REFUND)
    return Match.UNKNOWN if ours_to_know and line.identity not in known else Match.MATCHED


def _row(file: SettlementFile, line: Line, match: SettlementLine.Match) -> SettlementLine:
    return SettlementLine(
        id=uuid7(), file=file, line=line.number, payout_id=line.payout_id, object_id=line.object_id, type=line.type,
        gross_minor=line.gross_minor, fee_minor=line.fee_minor, net_minor=line.net_minor, currency=line.currency,
        day=line.day, match=match, identity=line.identity,
    )  # fmt: skip


def _line_of(row: SettlementLine) -> Line:
    return Line(
        row.line, row.payout_id, row.object_id, row.type, row.gross_minor, row.fee_minor, row.net_minor,
        row.currency, row.day,
    )  # fmt: skip


def _entries(new: Sequence[SettlementLine], known: dict[str, Known]) -> list[Entry]:
    """Each new line as an entry. Of a dispute's fee what the provider had told of before is no expense once more."""
    disputes = settled_disputes(new)
    return [
        _dispute_entry(row, disputes[row.pk]) if row.pk in disputes else _entry(row, known.get(row.identity))
        for row in new
    ]


def _dispute_entry(row: SettlementLine, of: SettledDispute) -> Entry:
    return Entry(
        kind=Kind.SETTLEMENT, source_id=row.pk, shop_id=of.shop_id, order_id=of.order_id, payment_id=of.payment_id,
        currency=row.currency, lines=settlement(row.gross_minor, row.fee_minor, told=of.told_minor),
    )  # fmt: skip


def _entry(row: SettlementLine, known: Known | None) -> Entry:
    payment = known.payment_id if isinstance(known, OurRefund) else known.id if known else None
    return Entry(
        kind=Kind.SETTLEMENT, source_id=row.pk, shop_id=known.shop_id if known else None,
        order_id=known.order_id if known else None, payment_id=payment, currency=row.currency,
        lines=settlement(row.gross_minor, row.fee_minor),
    )  # fmt: skip


def _write_cases(
    lines: Sequence[Line], known: dict[str, Known], fees: dict[str, Fee], *, now: datetime
) -> None:
    """Open what differs; a line that was missed has come, so what was open about it and is no more is closed."""
    found = [f for line in lines for f in _differences(line, known.get(line.identity), fees)]
    cases.record(found, run=None, now=now)
    cases.close_gone(Case.About.SETTLEMENT, [line.identity for line in lines], found, now=now)


def _differences(line: Line, known: Known | None, fees: dict[str, Fee]) -> Iterator[Finding]:
    if line.type not in (Type.CAPTURE, Type.REFUND):
        return
    if known is None:
        yield _finding(Cased.SETTLEMENT_UNKNOWN_LINE, line, None, abs(line.gross_minor))
        return
    expected = _expected(known)
    if known.currency != line.currency or expected != line.gross_minor:
        apart = abs(expected - line.gross_minor) if known.currency == line.currency else abs(line.gross_minor)
        yield _finding(Cased.SETTLEMENT_AMOUNT_DIFFERS, line, known, apart)
    fee = fees.get(line.currency)
    if fee and line.type == Type.CAPTURE and not fee.allows(line.gross_minor, line.fee_minor):
        apart = abs(fee.of(line.gross_minor) - line.fee_minor)
        yield _finding(Cased.SETTLEMENT_FEE_DIFFERS, line, known, apart, agreed=fee.of(line.gross_minor))


def _expected(known: Known) -> int:
    """What the line should say: what was captured, or what has gone back."""
    if isinstance(known, OurPayment):
        return known.captured_minor
    return -known.amount_minor if known.state == Refund.State.SUCCEEDED else 0


def _doubled(file: SettlementFile, line: Line) -> Finding:
    finding = _finding(Cased.SETTLEMENT_DOUBLED_LINE, line, None, abs(line.net_minor))
    return Finding(**{**vars(finding), "object_id": f"{line.identity} ({file.sha256[:8]}:{line.number})"})


def _finding(kind: str, line: Line, known: Known | None, stake: int, **more: object) -> Finding:
    payment = known.payment_id if isinstance(known, OurRefund) else known.id if known else None
    return Finding(
        kind=kind, about=Case.About.SETTLEMENT, object_id=line.identity, at_stake_minor=stake,
        currency=line.currency, ours={**(known.words() if known else {}), **more},
        theirs={"payout_id": line.payout_id, "line": line.number, "gross_minor": line.gross_minor,
                "fee_minor": line.fee_minor, "net_minor": line.net_minor, "currency": line.currency,
                "day": line.day.isoformat()},
        shop_id=known.shop_id if known else None, order_id=known.order_id if known else None, payment_id=payment,
        refund_id=known.id if isinstance(known, OurRefund) else None, saga_id=known.saga_id if known else None,
        reference=known.reference if known else "",
    )  # fmt: skip


def _missing(file: SettlementFile, *, now: datetime) -> None:
    """What moved well within the days of the file, in its currencies, and stands in no file."""
    since = datetime.combine(file.first_day, time(), UTC) + EDGE
    until = datetime.combine(file.last_day, time(), UTC) + timedelta(days=1) - EDGE
    for sql, kind, of in (
        (MISSING_CAPTURES, Kind.CAPTURE, Type.CAPTURE),
        (MISSING_REFUNDS, Kind.REFUND_PAID, Type.REFUND),
    ):
        cursor = FIRST
        while page := rows(sql, [kind, cursor, since, until, file.pk, of, BATCH], prepare=False):
            cursor = page[-1][0]
            cases.record(_missed(of, [name for _, _, name in page]), run=None, now=now)


def _missed(of: SettlementLine.Type, names: Sequence[str]) -> list[Finding]:
    found: Sequence[Known]
    found = list(ours.payments_named(names).values()) if of == Type.CAPTURE else ours.refunds_of(names, [])
    return [
        Finding(
            kind=Cased.SETTLEMENT_MISSING_LINE, about=Case.About.SETTLEMENT, object_id=f"{of} {o.provider_id}",
            at_stake_minor=abs(_expected(o)), currency=o.currency, ours=o.words(), shop_id=o.shop_id,
            order_id=o.order_id, payment_id=o.payment_id if isinstance(o, OurRefund) else o.id,
            refund_id=o.id if isinstance(o, OurRefund) else None, saga_id=o.saga_id, reference=o.reference,
        )
        for o in found
    ]  # fmt: skip
