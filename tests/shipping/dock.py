"""A dock to test with: orders, a fake carrier, and the three phases of a step driven by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from orders.contract import OrderConfirmed
from sagas.events import Event
from sagas.ids import operation_key, uuid7
from sagas.log import Recorded, Token, read
from sagas.people import PersonData, remember_people
from sagas.steps import Ask, StepCall, get_step
from sagas.verdicts import Answer
from shipping import contract, receivers
from shipping.carriers.fake import FakeCarrier
from shipping.models import Shipment
from tests.conftest import Clock


@dataclass
class Dock:
    """One shop's parcels. Orders go by the shop's own reference, as at the carrier."""

    clock: Clock
    carrier: FakeCarrier
    shop_id: UUID = field(default_factory=uuid7)
    ids: dict[str, UUID] = field(default_factory=dict)

    def id(self, name: str) -> UUID:
        """The id that goes by a name."""
        return self.ids.setdefault(name, uuid7())

    def person(self, name: str = "Ada Example") -> UUID:
        """Somebody to send things to."""
        data = PersonData(
            self.shop_id, name, name, "ada@example.org", {"street": "Long Road 1", "city": "Berlin"}
        )
        return remember_people([data], now=self.clock.now)[0]

    def call(self, order: str, step: str = contract.BOOK_SHIPMENT, /, **more: Any) -> StepCall:
        """A saga's request about an order of three mugs and a lamp to Germany."""
        intent = more.pop("intent_number", 1)
        lines = [line("MUG", 3), line("LAMP", 1), line("GIFT", 1, "voucher")]
        values: dict[str, Any] = {
            "key": operation_key(self.shop_id, order, contract.BOOK_SHIPMENT, intent),
            "subject": {"lines": lines},
            "attempt": 1,
            "input": {"person_id": str(self.person()), "country": "DE", "location_id": None},
        } | more
        return StepCall(
            saga_id=self.id(f"{order}/saga"), step_id=uuid7(), step=step, subject_id=self.id(order),
            shop_id=self.shop_id, reference=order, search_key=order, amount_minor=100, currency="EUR",
            epoch=0, intent_number=intent, memo={}, now=self.clock.now, correlation_id="corr", **values,
        )  # fmt: skip

    def withdrawal(self, order: str, /, *, whole: bool = False, **lines: int) -> StepCall:
        """A cancel_fulfilment's request to take something out of an order's parcel."""
        given = {
            "order_id": str(self.id(order)),
            "lines": [line(sku, quantity) for sku, quantity in lines.items()],
            "whole": whole,
        }
        return self.call(order, contract.WITHDRAW_SHIPMENT, key=uuid7(), input=given, subject=None)

    def run(self, *calls: StepCall) -> list[Any]:
        """All three phases of one batch, as the engine runs them; the final verdicts."""
        begun = self.begin(*calls)
        answers = [(a.call, self.ask(a)) if isinstance(a, Ask) else (None, a) for a in begun]
        recorded = iter(self.record([(c, a) for c, a in answers if c is not None]))
        return [a if c is None else next(recorded) for c, a in answers]

    def begin(self, *calls: StepCall) -> Sequence[Ask | Answer]:
        """The claiming transaction."""
        with transaction.atomic():
            return handler(calls[0]).begin(calls)

    def ask(self, ask: Ask) -> Any:
        """The thread."""
        step = handler(ask.call)
        return step.settle(ask) if ask.call.settling else step.ask(ask)

    def record(self, answers: Sequence[tuple[StepCall, Any]]) -> Sequence[Any]:
        """The recording transaction."""
        if not answers:
            return []
        with transaction.atomic():
            return handler(answers[0][0]).record(answers)

    def book(self, *orders: str) -> list[Any]:
        """Book parcels."""
        return self.run(*(self.call(order) for order in orders))

    def cancel(self, *orders: str, **more: Any) -> list[Any]:
        """Undo bookings."""
        causes = {"cause": "refused", "cause_code": "payments.declined"} | more
        return self.run(*(self.call(order, contract.CANCEL_SHIPMENT, input={}, **causes) for order in orders))

    def confirm(self, *orders: str) -> None:
        """Orders are confirmed: their parcels may leave."""
        self.tell(*(OrderConfirmed(order_id=self.id(order), shop_id=self.shop_id) for order in orders))

    def tell(self, *events: Event, version: int = 1) -> None:
        """Tell shipping what others have published."""
        told = [
            Recorded(Token(1, 1, n), uuid7(), version, event.type, event, {}, self.clock.now)
            for n, event in enumerate(events)
        ]
        receivers.on_clearance(events=told, now=self.clock.now)

    def shipment(self, order: str) -> Shipment:
        """The one parcel of an order."""
        return Shipment.objects.get(order_id=self.id(order))

    def state(self, order: str) -> str:
        """Where an order's parcel stands."""
        return self.shipment(order).state

    def contents(self, order: str) -> dict[str, int]:
        """What is in an order's parcel."""
        return {x.sku: x.open for x in self.shipment(order).lines.all() if x.open}

    def events(self, order: str) -> list[Event]:
        """What was published about an order's parcel."""
        return [recorded.event for recorded in read(self.shipment(order).pk)]

    def story(self, order: str) -> list[str]:
        """The same by name."""
        return [type(event).__name__ for event in self.events(order)]


def line(sku: str, quantity: int, kind: str = "goods") -> dict[str, Any]:
    """A line of an order."""
    return {"sku": sku, "quantity": quantity, "kind": kind}


def handler(call: StepCall) -> Any:
    """The registered handler of a call's step."""
    return get_step(call.step).external


def again(call: StepCall, **more: Any) -> StepCall:
    """The same call in its next attempt."""
    return replace(call, attempt=call.attempt + 1, **more)
