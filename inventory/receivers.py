"""How inventory reacts to what others publish. One command call for a whole batch; repeats change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import uuid5

from inventory import commands, contract
from inventory.commands import MoveStock, RestockGoods, ShipGoods, movement_key
from inventory.conf import hold_for
from inventory.models import Movement
from inventory.steps import pieces
from orders.contract import (
    CancellationRequested,
    CreditNoteImported,
    OpeningStockImported,
    OrderConfirmed,
    StockAdjustmentImported,
)
from payments.contract import CaptureFailed, PaymentAuthorized, PaymentDeclined, PaymentExpired
from sagas import choreography
from sagas.bus import subscription
from sagas.choreography import GiveBack, TakeOn
from sagas.events import Event
from sagas.log import Recorded
from shipping.contract import ShipmentAddressRefused, ShipmentHandedOver, ShipmentRefused

#: Kinds of credit note with goods in them; an allowance is money only.
RESTOCKED = ("cancellation", "return")
Imported = OpeningStockImported | StockAdjustmentImported


@subscription("inventory.imported_stock", of=(OpeningStockImported, StockAdjustmentImported))
def on_stock_imported(*, events: Sequence[Recorded], now: datetime) -> None:
    """Imported stock becomes movements. A write-off of promised goods takes only what is free."""
    facts = [r.event for r in events if isinstance(r.event, Imported)]
    commands.ensure_locations(((fact.shop_id, fact.location) for fact in facts), now=now)
    commands.record_movements([move for fact in facts for move in imported_moves(fact)], now=now)


@subscription("inventory.unmatched_returns", of=(CreditNoteImported,))
def on_credit_note_imported(*, events: Sequence[Recorded], now: datetime) -> None:
    """Goods of a credit note that belongs to no order go straight back on the shelf."""
    notes = [r.event for r in events if isinstance(r.event, CreditNoteImported)]
    commands.restock_goods(
        [
            RestockGoods(
                key=uuid5(note.credit_note_id, "restock"),
                shop_id=note.shop_id,
                order_id=None,
                returned=pieces(note.lines),
                reason=note.reference,
            )
            for note in notes
            if note.order_id is None and note.kind in RESTOCKED
        ],
        now=now,
    )


@subscription("inventory.allocation", of=(OrderConfirmed,))
def on_order_confirmed(*, events: Sequence[Recorded], now: datetime) -> None:
    """What was held for a confirmed order is bound to it."""
    orders = [r.event.order_id for r in events if isinstance(r.event, OrderConfirmed)]
    commands.allocate_stock(orders, now=now)


@subscription("inventory.consumption", of=(ShipmentHandedOver,))
def on_shipment_handed_over(*, events: Sequence[Recorded], now: datetime) -> None:
    """What left the house is in the books no more."""
    parcels = [r.event for r in events if isinstance(r.event, ShipmentHandedOver)]
    commands.consume_stock([ShipGoods(p.shipment_id, p.order_id, pieces(p.lines)) for p in parcels], now=now)


@subscription("inventory.waiting", of=(ShipmentAddressRefused,))
def on_address_refused(*, events: Sequence[Recorded], now: datetime) -> None:
    """An order whose address may be corrected keeps its goods meanwhile, and as long as any hold from then on."""
    waits = [r.event for r in events if isinstance(r.event, ShipmentAddressRefused)]
    commands.extend_holds({wait.order_id: wait.until + hold_for() for wait in waits}, now=now)


@subscription(
    "inventory.fulfilment",
    of=(
        PaymentAuthorized,
        PaymentDeclined, ShipmentRefused, CaptureFailed, PaymentExpired, CancellationRequested,
    ),
    part=True,
)  # fmt: skip
def on_fulfilment(*, events: Sequence[Recorded], now: datetime) -> None:
    """Inventory's part in a choreographed order: goods are held once the money is."""
    choreography.act([act for recorded in events for act in part_of(recorded.event)], now=now)


def part_of(event: Event) -> Iterable[TakeOn | GiveBack]:
    """What one event makes inventory do."""
    undo = contract.RELEASE_RESERVATION
    match event:
        case PaymentAuthorized(order_id=order):
            yield TakeOn(order, contract.RESERVE_STOCK)
        case PaymentDeclined() | ShipmentRefused() | CaptureFailed() | PaymentExpired():
            yield GiveBack(event.order_id, undo)
        case CancellationRequested(order_id=order, whole=True, reason=reason, saga_id=saga):
            yield GiveBack(order, undo, "intent", reason, saga_id=saga)


def imported_moves(fact: Imported) -> Iterable[MoveStock]:
    """The movements of one imported fact. A key names the fact and the place in it."""
    opening = isinstance(fact, OpeningStockImported)
    source = (
        f"opening|{fact.batch}" if isinstance(fact, OpeningStockImported) else f"adjustment|{fact.reference}"
    )
    for number, item in enumerate(fact.items):
        yield MoveStock(
            key=movement_key(fact.shop_id, f"{source}|{fact.location}|{item['sku']}|{number}"),
            shop_id=fact.shop_id,
            sku=item["sku"],
            kind=Movement.Kind.RECEIPT if opening else Movement.Kind.ADJUSTMENT,
            quantity=item["quantity"],
            location=fact.location,
            reason="opening stock" if opening else item.get("reason", ""),
            capped=not opening,
        )
