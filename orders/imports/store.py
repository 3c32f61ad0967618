"""The only place where an import writes: a batch of documents with all their facts in one commit.

Orders go through `orders.commands.place_orders`; credit notes and stock corrections become events, to which
the apps that own stock and money react. A document is known by its shop and reference: written twice, it is
there once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import DataError, IntegrityError, transaction

from orders import repository
from orders.commands import place_orders
from orders.contract import StockAdjustmentImported
from orders.giving_back.commands import take_credit_notes
from orders.giving_back.notes import NewNote
from orders.imports.records import AdjustmentDraft, CreditDraft, OrderDraft, Record, Reported
from orders.imports.survey import named
from orders.intake import PlaceOrder
from orders.totals import ChargeInput, LineInput
from sagas.crash import crash_point
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.sql import execute, rows
from sagas.verdicts import Refused

ACTOR = "import"
LOCATION = "main"
#: The file says nothing about payments: every order is paid by a card the sandbox knows.
PAYMENT_METHOD = "pm_card_visa"
#: Kinds of charge that orders have no word for: book-keeping and rounding. All are money without goods.
CHARGE_KINDS = {"sample": "fee", "bad_debt": "fee", "rounding": "fee"}

KNOWN = """
SELECT reference, digest FROM orders_importeddocument WHERE shop_id = %s AND reference = ANY(%s::text[])
"""
INSERT = """
INSERT INTO orders_importeddocument (shop_id, reference, file_id, kind, digest, rows_imported)
SELECT %s, u.reference, %s, u.kind, u.digest, u.rows_imported
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[]) AS u (reference, kind, digest, rows_imported)
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one record. `existing`: an earlier run has imported it, nothing was written now."""

    record: Record
    existing: bool = False


class Store:
    """Writes the records of one file for one shop. `names` are the usual names of SKUs."""

    def __init__(self, *, shop_id: UUID, file_id: UUID, names: Mapping[str, str], style: str) -> None:
        self._shop_id = shop_id
        self._style = style
        self._file_id = file_id
        self._names = names

    def write(self, records: Sequence[Record], *, now: datetime) -> list[Written]:
        """Write what is new of a batch in one commit; an answer for each record, in order.

        What cannot be taken is answered as reported. A document that breaks the batch is found by halving it.
        """
        try:
            with transaction.atomic():
                written = self._write(records, now)
                crash_point("orders.import.before_commit")
        except (DataError, IntegrityError) as error:
            if len(records) == 1:
                detail = str(error).splitlines()[0]
                return [Written(report_all(records[0], "refused_by_database", detail))]
            half = len(records) // 2
            return self.write(records[:half], now=now) + self.write(records[half:], now=now)
        crash_point("orders.import.after_commit")
        return written

    def _write(self, records: Sequence[Record], now: datetime) -> list[Written]:
        known = known_documents(self._shop_id, (r.reference for r in records))
        seen = [already(record, known) for record in records]
        fresh = [w.record for w in seen if not w.existing and w.record.fact is not None]
        refused = self._place([r for r in fresh if isinstance(r.fact, OrderDraft)], now)
        stored = [record for record in fresh if record.reference not in refused]
        self._take_credits(stored, now)
        self._adjust_stock(stored, now)
        self._remember(stored)
        return [Written(refused[w.record.reference]) if _is_in(w, refused) else w for w in seen]

    def _place(self, records: Sequence[Record], now: datetime) -> dict[str, Record]:
        """Place the orders; those that are not taken, as reported records by reference."""
        drafts = [(r, r.fact) for r in records if isinstance(r.fact, OrderDraft)]
        orders = [place_order_of(draft, self._shop_id, self._names, self._style) for _, draft in drafts]
        answers = place_orders(orders, now=now, correlation_id=str(self._file_id), actor=ACTOR)
        refused: dict[str, Record] = {}
        for (record, draft), answer in zip(drafts, answers, strict=True):
            if isinstance(answer, Refused):
                refused[draft.reference] = report_all(record, answer.code, answer.detail)
            elif answer.existing:
                refused[draft.reference] = report_all(
                    record,
                    "reference_taken",
                    "the shop has an order with this reference that was not imported",
                )
        return refused

    def _take_credits(self, records: Sequence[Record], now: datetime) -> None:
        parts = [part for r in records if isinstance(r.fact, tuple) for part in r.fact]
        orders = self._order_ids({part.order for part in parts if part.order})
        new = [self._note(part, orders.get(part.order or "")) for part in parts]
        take_credit_notes(new, now=now, correlation_id=str(self._file_id), actor=ACTOR)

    def _order_ids(self, references: Iterable[str]) -> dict[str, UUID]:
        keys = [(self._shop_id, reference) for reference in references]
        return {reference: i for (_, reference), i in repository.find(keys).items()} if keys else {}

    def _note(self, part: CreditDraft, order_id: UUID | None) -> NewNote:
        return NewNote(
            shop_id=self._shop_id,
            order_id=order_id,
            reference=part.reference,
            kind=part.kind.value,
            currency=part.currency,
            amount_minor=part.amount_minor,
            lines=[
                {"sku": line.sku, "quantity": line.quantity, "amount_minor": line.amount_minor}
                for line in part.lines
            ],
            issued_at=part.issued_at,
        )

    def _adjust_stock(self, records: Sequence[Record], now: datetime) -> None:
        events = [self._adjusted(r.fact) for r in records if isinstance(r.fact, AdjustmentDraft)]
        appends = [Append(uuid7(), 1, event) for event in events]
        publish(appends, now=now, actor=ACTOR, correlation_id=str(self._file_id))

    def _adjusted(self, draft: AdjustmentDraft) -> StockAdjustmentImported:
        return StockAdjustmentImported(
            shop_id=self._shop_id,
            reference=draft.reference,
            location=LOCATION,
            items=tuple(
                {"sku": item.sku, "quantity": item.quantity, "reason": item.reason} for item in draft.items
            ),
        )

    def _remember(self, records: Sequence[Record]) -> None:
        columns = [(r.reference, r.kind, r.digest, len(r.taken)) for r in records]
        if columns:
            params = [list(column) for column in zip(*columns, strict=True)]
            execute(INSERT, [self._shop_id, self._file_id, *params])


def known_documents(shop_id: UUID, references: Iterable[str]) -> dict[str, str]:
    """The digests of the documents that were imported for a shop, by reference."""
    return dict(rows(KNOWN, [shop_id, sorted({reference for reference in references if reference})]))


def place_order_of(draft: OrderDraft, shop_id: UUID, names: Mapping[str, str], style: str) -> PlaceOrder:
    """The order as it would come in by the API."""
    return PlaceOrder(
        shop_id=shop_id,
        external_reference=draft.reference,
        currency=draft.currency,
        lines=[
            LineInput(
                sku=line.sku,
                quantity=line.quantity,
                unit_price_minor=line.unit_price_minor,
                name=name,
                kind=line.kind,
            )
            for line, name in zip(draft.lines, named(draft, names), strict=True)
        ],
        charges=[
            ChargeInput(kind=CHARGE_KINDS.get(charge.kind, charge.kind), amount_minor=charge.amount_minor)
            for charge in draft.charges
        ],
        expected_total_minor=draft.total_minor,
        country=draft.country,
        payment_method=PAYMENT_METHOD,
        placed_at=draft.placed_at,
        customer_reference=draft.customer,
        name=f"Customer {draft.customer}" if draft.customer else "Guest",
        address={"country": draft.country},
        fulfilment=style,
    )


def report_all(record: Record, code: str, detail: str) -> Record:
    """The same record with nothing taken and every row reported."""
    more = tuple(
        Reported(line=line, document=record.reference, code=code, detail=detail) for line in record.taken
    )
    return replace(record, fact=None, taken=(), reported=record.reported + more)


def already(record: Record, known: Mapping[str, str]) -> Written:
    """Whether a document was imported before. With other content it is reported: what was imported stands."""
    if record.fact is None or record.reference not in known:
        return Written(record)
    if known[record.reference] == record.digest:
        return Written(record, existing=True)
    detail = "imported before with other content; what was imported stands"
    return Written(report_all(record, "imported_differently", detail))


def _is_in(written: Written, refused: Mapping[str, Record]) -> bool:
    new = written.record.fact is not None and not written.existing
    return new and written.record.reference in refused
