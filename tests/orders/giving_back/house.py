"""The whole house in one process: every app's steps and reactions on a fake gateway and a fake carrier."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from inventory.models import Stock
from orders import commands
from orders.contract import OpeningStockImported
from orders.giving_back.commands import apply_credit_notes, take_credit_notes
from orders.giving_back.notes import NewNote
from orders.models import CreditNote, Order, Shop
from payments.gateways.fake import FakeGateway
from payments.models import JournalLine, Refund
from sagas.bus import subscriptions
from sagas.clock import database_now, travel
from sagas.delivery import deliver
from sagas.engine.intents import take_up
from sagas.engine.work import work
from sagas.ids import uuid7
from sagas.keeping.sweep import due_steps, every_queue
from sagas.log import Append, publish
from sagas.models import Saga
from sagas.verdicts import Verdict
from shipping.carriers.base import MoveParcels
from shipping.carriers.fake import FakeCarrier
from shipping.commands import deliver_parcels, pick_up
from shipping.models import Shipment
from tests.orders.factories import a_line, a_shop, an_order

ISSUED = datetime.fromisoformat("2026-01-05T12:00:00+00:00")


class House:
    """One shop with its orders. `settle` lets everything happen that can happen by itself."""

    def __init__(self, gateway: FakeGateway, carrier: FakeCarrier) -> None:
        self.gateway, self.carrier = gateway, carrier
        self.shop: Shop = a_shop()
        self._issued = 0

    def stock(self, **pieces: int) -> None:
        """Put pieces on the shelf."""
        items = tuple({"sku": sku, "quantity": quantity} for sku, quantity in pieces.items())
        event = OpeningStockImported(shop_id=self.shop.pk, batch=str(uuid7()), location="main", items=items)
        with transaction.atomic():
            publish([Append(uuid7(), 1, event)], now=database_now())
        self.settle()

    def order(self, reference: str = "A-1", *, charges: Sequence[Any] = (), **pieces: int) -> Order:
        """Place an order of these pieces at 5.00 each."""
        lines = [a_line(sku=sku, quantity=quantity) for sku, quantity in pieces.items()]
        sent = an_order(
            shop_id=self.shop.pk,
            external_reference=reference,
            currency="GBP",
            lines=lines,
            charges=list(charges),
        )
        placed = commands.place_order(sent, now=database_now())
        return Order.objects.get(pk=placed.order_id)

    def fulfilled(self, reference: str = "A-1", *, charges: Sequence[Any] = (), **pieces: int) -> Order:
        """An order that is paid and confirmed; its goods were on the shelf."""
        self.stock(**pieces)
        order = self.order(reference, charges=charges, **pieces)
        self.settle()
        order.refresh_from_db()
        assert order.state == "confirmed"
        return order

    def note(
        self, order: Order | None, kind: str, amount_minor: int, *, reference: str = "C-1", **pieces: int
    ) -> CreditNote:
        """Take a credit note in; each one is issued after the one before."""
        self._issued += 1
        new = NewNote(
            shop_id=self.shop.pk,
            order_id=order.pk if order else None,
            reference=reference,
            kind=kind,
            currency="GBP",
            amount_minor=amount_minor,
            lines=[{"sku": s, "quantity": q, "amount_minor": 0} for s, q in pieces.items()],
            issued_at=ISSUED + timedelta(hours=self._issued),
        )
        with transaction.atomic():
            take_credit_notes([new], now=database_now())
        return CreditNote.objects.get(shop=self.shop, reference=reference)

    def settle(self) -> None:
        """Steps, intents, reactions and waiting notes, until nothing moves any more."""
        for _ in range(30):
            moved = sum(work(name, queues=every_queue(), seconds=5) for name, _ in due_steps())
            moved += take_up().claimed
            moved += sum(deliver(s.task(), now=database_now, seconds=1) for s in subscriptions())
            moved += apply_credit_notes(now=database_now())
            if not moved:
                return
        raise AssertionError("The house does not come to rest.")

    def hand_over(self) -> None:
        """The carrier takes every parcel that may leave."""
        pick_up(self.carrier, now=database_now())
        self.settle()

    def carrier_is_faster(self, order: Order) -> None:
        """The carrier takes the parcel of an order, and nobody here knows yet."""
        label = Shipment.objects.get(order_id=order.pk).carrier_id
        taken = self.carrier.pick_up(MoveParcels(key=uuid7(), shipment_ids=[label], limit=1))
        assert not isinstance(taken, Verdict)

    def later(self, hours: int) -> None:
        """Let time pass, so that what waits to be tried again is due."""
        travel(hours * 3600)
        self.settle()

    def deliver(self) -> None:
        """Every customer gets their parcel."""
        deliver_parcels(self.carrier, now=database_now())
        self.settle()

    # --- what came of it ------------------------------------------------------------------------------

    def state(self, order: Order) -> str:
        """The order's state now."""
        return str(Order.objects.get(pk=order.pk).state)

    def ended(self, note: CreditNote) -> tuple[str, int, int]:
        """State, refunded and owed of a note."""
        note.refresh_from_db()
        return note.state, note.refund_minor, note.credit_minor

    def on_shelf(self, sku: str) -> tuple[int, int]:
        """Pieces in the house and pieces promised."""
        stock = Stock.objects.get(location__shop_id=self.shop.pk, sku=sku)
        return stock.on_hand, stock.held + stock.allocated

    def refunded(self, order: Order) -> int:
        """What went back through the provider."""
        return sum(
            Refund.objects.filter(order_id=order.pk, state="succeeded").values_list("amount_minor", flat=True)
        )

    def owed(self) -> int:
        """What is owed to customers without a provider's help."""
        return -sum(
            JournalLine.objects.filter(account="customer_credit").values_list("amount_minor", flat=True)
        )

    def sagas(self, definition: str) -> list[tuple[str, str]]:
        """Reference and state of the sagas of a kind, oldest first."""
        found = Saga.objects.filter(definition=definition).order_by("id")
        return list(found.values_list("reference", "state"))


def only_saga(order_id: UUID, definition: str) -> Saga:
    """The one saga of this kind for an order."""
    return Saga.objects.get(subject_id=order_id, definition=definition)
