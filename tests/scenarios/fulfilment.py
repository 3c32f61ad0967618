"""Orders through everything there is: engine, bus, rows, and a gateway and carrier over real HTTP.

A test says what is to go wrong, sends orders, lets it all settle, and reads how order, payment, stock and
shipment ended. After each test the audit compares all rows with each other and with the providers' own lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test import override_settings

from config.audit import audit
from config.audit.listing import fetch
from inventory.commands import MoveStock, ensure_locations, record_movements
from inventory.models import Reservation
from inventory.queries import stock_levels
from orders import commands as orders
from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from orders.giving_back.commands import take_credit_notes
from orders.giving_back.notes import NewNote
from orders.models import Order
from orders.totals import ChargeInput, LineInput
from payments.gateways import get_gateway
from payments.gateways.base import CaptureIntent, VoidIntent
from payments.models import Payment
from sagas import log, operate
from sagas.clock import database_now, travel
from sagas.engine import batch, store
from sagas.ids import uuid7
from sagas.models import Saga, SagaStep
from sagas.queries import story
from sagas.steps import Ask, StepCall, get_step
from shipping.carriers import get_carrier
from shipping.carriers.base import MoveParcels
from shipping.carriers.http import HttpCarrier
from shipping.commands import deliver_parcels, pick_up
from shipping.models import Shipment
from tests.flush import QuickFlush
from tests.orders.factories import a_shop, an_order
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.scenarios.settling import settle, settle_until

#: What a step asks of its provider, in the sandbox's words, and how that says no.
OPERATIONS = {
    "payments.authorize_payment": ("authorize", "decline"),
    "payments.void_authorization": ("void", "decline"),
    "payments.capture_payment": ("capture", "decline"),
    "payments.refund_payment": ("refund", "decline"),
    "shipping.book_shipment": ("book", "refuse"),
    "shipping.cancel_shipment": ("cancel_shipment", "refuse"),
    "shipping.withdraw_shipment": ("cancel_shipment", "refuse"),
}
#: Kinds of effects that are counted at the providers.
KINDS = ("holds", "captures", "voids", "refunds", "labels", "cancellations", "pickups", "deliveries")
FULFIL = "orders.fulfil_order"


class Ends(NamedTuple):
    """How an order and its payment, reservation and parcel stand. None: there is none."""

    order: str
    payment: str | None
    stock: str | None
    shipment: str | None


CONFIRMED = Ends("confirmed", "captured", "allocated", "label_bought")
#: Cancelled or refused with a label bought and the goods held: everything is given back.
CANCELLED = Ends("cancelled", "voided", "released", "voided")
REFUNDED = Ends("cancelled", "captured", "released", "voided")


class Fulfilment:
    """One shop in business. Orders go by the shop's own reference; each piece costs 5.00."""

    def __init__(self, sandbox: SandboxProcess, *, style: str = ORCHESTRATION) -> None:
        self.sandbox = sandbox
        self.style = style
        self.shop_id: UUID = a_shop().pk
        self._notes = 0

    def start_over(self) -> None:
        """Forget every order, here and at the providers."""
        QuickFlush.remembered(connection).run(connection)
        self.sandbox.control("POST", "/sandbox/reset")
        self.shop_id = a_shop().pk

    # --- arrange ------------------------------------------------------------------------------------

    def given(
        self,
        step: str,
        reference: str = "*",
        *,
        refuses: str = "",
        meets: str = "",
        times: int | None = None,
        **params: Any,
    ) -> None:
        """Let a step's provider refuse with a code, or let its next calls meet trouble: `do_then_drop`, .."""
        operation, no = OPERATIONS[step]
        if refuses:
            params["code"] = refuses.rpartition(".")[2]
        self.sandbox.script(operation, reference, meets or no, times=times, **params)

    def shelve(self, **skus: int) -> None:
        """Goods come in."""
        ensure_locations([(self.shop_id, "main")], now=database_now())
        moves = [MoveStock(uuid7(), self.shop_id, sku, "receipt", n) for sku, n in skus.items()]
        with transaction.atomic():
            record_movements(moves, now=database_now())

    # --- act ----------------------------------------------------------------------------------------

    def order(self, reference: str = "A-1", /, *, price_minor: int = 500, **skus: int) -> UUID:
        """A shop sends an order. Without goods named: one MUG."""
        return self.order_lines(reference, *(skus or {"MUG": 1}).items(), price_minor=price_minor)

    def sent(self, reference: str) -> bool:
        """Send an order as a shop does that repeats until it is told yes."""
        self.order(reference)
        return True

    def order_in_parcels(
        self,
        reference: str = "A-1",
        /,
        *,
        price_minor: int = 500,
        charges_minor: int = 0,
        discount_minor: int = 0,
        **skus: int,
    ) -> UUID:
        """An order that is shipped in parcels, as they are asked for. With charges, beside its goods."""
        lines = [LineInput(sku=s, name=s, quantity=n, unit_price_minor=price_minor) for s, n in skus.items()]
        asked = (("shipping", charges_minor), ("discount", -discount_minor))
        charges = [ChargeInput(kind=kind, amount_minor=minor) for kind, minor in asked if minor]
        request = an_order(
            shop_id=self.shop_id,
            external_reference=reference,
            lines=lines,
            charges=charges,
            ship_in_parcels=True,
        )
        return orders.place_order(request, now=database_now()).order_id

    def order_lines(self, reference: str, *goods: tuple[str, int], price_minor: int = 500) -> UUID:
        """The same, line by line: a SKU may come twice."""
        lines = [LineInput(sku=sku, name=sku, quantity=n, unit_price_minor=price_minor) for sku, n in goods]
        request = an_order(
            shop_id=self.shop_id, external_reference=reference, lines=lines, charges=[], fulfilment=self.style
        )
        return orders.place_order(request, now=database_now()).order_id

    def cancel(self, reference: str = "A-1") -> None:
        """The shop changes its mind."""
        orders.cancel_order(
            self.row(reference).pk, actor="shop", reason="changed my mind", now=database_now()
        )

    def credit(
        self,
        reference: str | None = "A-1",
        *,
        kind: str = "return",
        amount_minor: int,
        called: str = "",
        **pieces: int,
    ) -> None:
        """A credit note comes in for an order, or for none."""
        self._notes += 1
        order_id = self.row(reference).pk if reference else None
        note = NewNote(
            shop_id=self.shop_id, order_id=order_id, reference=called or f"C-{self._notes}", kind=kind,
            currency="EUR", amount_minor=amount_minor, issued_at=database_now() + timedelta(hours=self._notes),
            lines=[{"sku": sku, "quantity": n, "amount_minor": 0} for sku, n in pieces.items()],
        )  # fmt: skip
        with transaction.atomic():
            take_credit_notes([note], now=database_now())

    def run(self, reference: str = "A-1", /, **skus: int) -> Saga:
        """Send one order, from a full shelf unless one was filled, and let everything settle."""
        if not Order.objects.exists() and not skus:
            self.shelve(MUG=10)
        self.order(reference, **skus)
        self.settle()
        return self.saga(reference)

    def settle(self, **how: Any) -> None:
        """Let everything happen that can."""
        settle(**how)

    def settle_now(self) -> None:
        """Let everything happen that can at this moment: no lease runs out, no retry is due."""
        settle(horizon=timedelta(0))

    def settle_until_unknown(self, step: str, reference: str = "A-1") -> None:
        """Let everything happen until nobody knows what became of a step."""
        wanted = SagaStep.objects.filter(saga=self.saga(reference), name=step, verdict="unknown")
        settle_until(wanted.exists)

    def act(self, kind: str, reference: str = "A-1", **payload: Any) -> None:
        """A person acts on an order's saga: `retry`, `skip`, `resolve`, .."""
        operate.act(
            kind, [self.saga(reference).pk], actor="ada", reason="looked into it", now=database_now(),
            payload=payload,
        )  # fmt: skip

    def repeat(self, step: str, reference: str = "A-1") -> None:
        """Ask a step's handler once more for what it has done, with the same key."""
        found, call = get_step(step), self._call(step, reference)
        if found.local is not None:
            with transaction.atomic():
                found.local([call])
        elif found.external is not None:
            with transaction.atomic():
                (begun,) = found.external.begin([call])
            if isinstance(begun, Ask):
                outcome = found.external.ask(begun)
                with transaction.atomic():
                    found.external.record([(call, outcome)])

    def _call(self, step: str, reference: str) -> StepCall:
        saga_id = self.saga(reference).pk
        with transaction.atomic():
            now, sagas = store.lock_sagas([saga_id])
            assert now is not None
            (row,) = [r for r in store.steps_of([saga_id])[saga_id] if r.name == step]
        subject = log.first_data([sagas[saga_id].subject_id])[sagas[saga_id].subject_id]
        return batch.call(get_step(step), batch.Claimed(row, sagas[saga_id]), now=now, subject=subject)

    def capture_by_hand(self, intent_id: str) -> None:
        """Somebody takes the money at the provider, past our rows."""
        request = CaptureIntent(key=uuid7(), intent_id=intent_id, amount_minor=500)
        assert not isinstance(get_gateway().capture(request), Exception)

    def void_by_hand(self, intent_id: str) -> None:
        """Somebody lets the hold go at the provider, past our rows."""
        request = VoidIntent(key=uuid7(), intent_id=intent_id)
        assert not isinstance(get_gateway().void(request), Exception)

    def hand_over(self) -> None:
        """The carrier takes every parcel that may leave."""
        pick_up(get_carrier(), now=database_now())
        self.settle()

    def carrier_takes_it(self) -> None:
        """The carrier takes the one parcel, and nobody here knows yet."""
        label = Shipment.objects.get().carrier_id
        get_carrier().pick_up(MoveParcels(key=uuid7(), shipment_ids=[label], limit=1))

    def deliver(self) -> None:
        """Every customer gets their parcel."""
        carrier = get_carrier()
        assert isinstance(carrier, HttpCarrier)
        deliver_parcels(carrier, now=database_now())
        self.settle()

    # --- assert -------------------------------------------------------------------------------------

    def row(self, reference: str = "A-1") -> Order:
        """An order."""
        return Order.objects.get(external_reference=reference, shop_id=self.shop_id)

    def saga(self, reference: str = "A-1", definition: str = FULFIL) -> Saga:
        """The one saga of a kind for an order."""
        return Saga.objects.get(subject_id=self.row(reference).pk, definition=definition)

    def story(self, reference: str = "A-1", definition: str = FULFIL) -> list[str]:
        """What became of each step, in short words."""
        return story(self.saga(reference, definition).pk)

    def ends(self, reference: str = "A-1") -> Ends:
        """How an order ended, and all that belongs to it."""
        order = self.row(reference)
        parts = (Payment, Reservation, Shipment)
        states = [p.objects.filter(order_id=order.pk).values_list("state", flat=True).first() for p in parts]
        return Ends(order.state, *states)

    def payment(self, reference: str = "A-1") -> Payment:
        """The payment of an order."""
        return Payment.objects.get(order_id=self.row(reference).pk)

    def stock(self, sku: str = "MUG") -> tuple[int, int, int]:
        """on_hand, held and allocated."""
        (level,) = stock_levels(self.shop_id, skus=[sku])
        return level.on_hand, level.held, level.allocated

    def effects(self, reference: str = "A-1") -> dict[str, int]:
        """What really happened at the providers, counted there; what never happened is not named."""
        found = self.sandbox.effects(reference)
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def all_effects(self) -> dict[str, int]:
        """The same for all orders together."""
        total: Counter[str] = Counter()
        after: str | None = ""
        while after is not None:
            page = self.sandbox.control("GET", f"/sandbox/effects?{urlencode({'after': after})}")
            for one in page["data"]:
                total.update({kind: one[kind] for kind in KINDS})
            after = page["next"]
        return dict(total)

    def breaches(self) -> list[str]:
        """What the audit finds, with the providers' listing. An empty list is what every test wants."""
        findings = audit(fetch(self.sandbox.url))
        return [f"{f.name}: {f.skipped or f.examples}" for f in findings if f.breaches or f.skipped]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The gateway and the carrier, in a process of their own."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@contextmanager
def in_business(sandbox: SandboxProcess, *, style: str = ORCHESTRATION) -> Iterator[Fulfilment]:
    """A shop in business with an empty sandbox. Needs a database to itself."""
    travel(0)
    sandbox.control("POST", "/sandbox/reset")
    # Nobody waits longer than a moment for a silent provider here.
    quick = replace(django_settings.WAYBILL, sandbox_url=sandbox.url, call_timeout_seconds=2.0)
    with override_settings(WAYBILL=quick), pytest.MonkeyPatch.context() as patch:
        # Retries wait their longest, so that none comes by chance while a test looks.
        patch.setattr(batch.RNG, "uniform", lambda _low, high: high)
        yield Fulfilment(sandbox, style=style)
    travel(0)


@pytest.fixture(params=[ORCHESTRATION, CHOREOGRAPHY])
def fulfilment(
    transactional_db: None, sandbox: SandboxProcess, request: pytest.FixtureRequest
) -> Iterator[Fulfilment]:
    """A shop in business, once in each style. At the end of the test the books have to balance."""
    with in_business(sandbox, style=request.param) as shop:
        yield shop
        assert shop.breaches() == []
