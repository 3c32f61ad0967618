"""The whole house in one process: real orders, engine, bus and rows; a fake gateway and a fake carrier."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from inventory.commands import MoveStock, ensure_locations, record_movements
from inventory.models import Reservation
from inventory.queries import stock_levels
from orders import commands as orders
from orders.models import Order
from orders.totals import LineInput
from payments.gateways.fake import FakeGateway
from sagas.bus import subscriptions
from sagas.clock import database_now, travel
from sagas.delivery import deliver
from sagas.engine.work import work
from sagas.ids import uuid7
from sagas.keeping.sweep import due_steps
from sagas.models import Saga
from sagas.sql import rows
from sagas.tasks import take_up_intents
from shipping.carriers.fake import FakeCarrier
from shipping.models import Shipment
from tests.inventory.warehouse import wrong_counters
from tests.orders.factories import a_shop, an_order

QUEUES = frozenset({"orders", "payments", "inventory", "shipping"})

#: How far settling travels ahead for retries and waits.
HORIZON = timedelta(minutes=10)

NEXT_WAKE = """
SELECT min(t.wake_at) - waybill_now(),
       coalesce(nullif(current_setting('waybill.offset', true), ''), '0 s')::interval
  FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id WHERE t.finished_at IS NULL AND s.hold <> 'parked'
"""


@dataclass
class House:
    """One shop in business. Orders go by the shop's own reference."""

    gateway: FakeGateway
    carrier: FakeCarrier
    shop_id: UUID = field(default_factory=lambda: a_shop().pk)

    def receive(self, **skus: int) -> None:
        """Goods come in."""
        ensure_locations([(self.shop_id, "main")], now=database_now())
        moves = [MoveStock(uuid7(), self.shop_id, sku, "receipt", n) for sku, n in skus.items()]
        record_movements(moves, now=database_now())

    def order(self, reference: str, /, **skus: int) -> None:
        """A shop sends an order."""
        lines = [LineInput(sku=sku, name=sku, quantity=n, unit_price_minor=500) for sku, n in skus.items()]
        request = an_order(shop_id=self.shop_id, external_reference=reference, lines=lines, charges=[])
        orders.place_order(request, now=database_now())

    def cancel(self, reference: str) -> None:
        """The shop changes its mind."""
        orders.cancel_order(
            self.row(reference).pk, actor="shop", reason="changed my mind", now=database_now()
        )

    def settle(self) -> None:
        """Run what is due and deliver what was published until nothing is, travelling ahead to retries."""
        for _ in range(500):
            busy = take_up_intents()
            for name, _ in due_steps():
                busy += work(name, queues=QUEUES, seconds=10)
            busy += sum(deliver(sub.task(), now=database_now) for sub in subscriptions())
            if not busy and not _travel_to_next():
                return
        raise AssertionError("it never comes to rest")

    def row(self, reference: str) -> Order:
        """An order."""
        return Order.objects.get(external_reference=reference, shop_id=self.shop_id)

    def ends(self, reference: str) -> tuple[str, str | None, str | None]:
        """How an order, its reservation and its parcel ended."""
        order = self.row(reference).pk
        held = Reservation.objects.filter(order_id=order).values_list("state", flat=True).first()
        parcel = Shipment.objects.filter(order_id=order).values_list("state", flat=True).first()
        return self.row(reference).state, held, parcel

    def saga(self, reference: str, definition: str = "orders.fulfil_order") -> Saga:
        """A saga of an order."""
        return Saga.objects.get(subject_id=self.row(reference).pk, definition=definition)

    def stock(self, sku: str) -> tuple[int, int, int]:
        """on_hand, held, allocated; after checking that the books balance."""
        assert wrong_counters() == []
        (level,) = stock_levels(self.shop_id, skus=[sku])
        return level.on_hand, level.held, level.allocated


def _travel_to_next() -> bool:
    ((wait, offset),) = rows(NEXT_WAKE)
    if wait is None or wait > HORIZON:
        return False
    travel((offset + max(wait, timedelta())).total_seconds() + 0.001)
    return True
