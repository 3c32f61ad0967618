"""A choreography without a database: the apps' own reactions, the rules, and events that reach each app when they like.

Every app reads the same events, each at its own pace and as often as it likes; neighbours may come swapped. The
outside is one memory of what is held, kept, taken and labelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from inventory import contract as inventory
from inventory.receivers import part_of as inventory_part
from orders import contract as orders
from orders.definitions import FULFIL_ORDER
from orders.receivers import part_of as orders_part
from payments import contract as payments
from payments.receivers import part_of as payments_part
from sagas.choreography import Act, Hear, apply_all, heard_in, rows_needed
from sagas.contract import UndoSettled
from sagas.definition import prepare
from sagas.engine import asked as intents
from sagas.engine.asked import Asked
from sagas.engine.batch import Claimed, needs_all
from sagas.engine.core import Outcome
from sagas.engine.part import PATIENCE, Part, listen
from sagas.engine.rows import CHOREOGRAPHY, DO, DROPPED, FINAL, SKIPPED, UNDO, Change, SagaRow, StepRow
from sagas.engine.start import first_rows
from sagas.events import Event
from sagas.ids import uuid7
from sagas.models import Saga, SagaStep
from sagas.steps import NotDone, get_step
from sagas.verdicts import Done, Refused, Unavailable, Unknown, Waiting
from shipping import contract as shipping
from shipping.receivers import part_of as shipping_part
from tests.properties.world import LEASE, START, Flight, allowed

READERS: dict[str, Any] = {
    "payments": payments_part,
    "inventory": inventory_part,
    "shipping": shipping_part,
    "orders": orders_part,
    "follower": lambda told: [Hear(UUID(int=0), told.type, told.key, 1)],
}
AUTHORIZE, CAPTURE, VOID = (
    payments.AUTHORIZE_PAYMENT, payments.CAPTURE_PAYMENT, payments.VOID_AUTHORIZATION,
)  # fmt: skip
#: What a step leaves outside, and what its undo takes away.
EFFECTS = {
    AUTHORIZE: "hold",
    inventory.RESERVE_STOCK: "goods",
    shipping.BOOK_SHIPMENT: "label",
    CAPTURE: "money",
}
TAKES = {
    VOID: {"hold", "money"},
    inventory.RELEASE_RESERVATION: {"goods"},
    shipping.CANCEL_SHIPMENT: {"label"},
}
EVERYTHING = {"money", "goods", "label"}


@dataclass(frozen=True, kw_only=True)
class Told:
    """An event as a reader meets it."""

    event: Event
    key: UUID

    @property
    def type(self) -> str:
        return self.event.type


@dataclass
class Stage:
    """One choreographed order."""

    now: Any = START
    rng: Random = field(default_factory=lambda: Random(7))
    live: set[str] = field(default_factory=set)
    order: str = "pending"
    taken: int = 0
    wishes: int = 0  #: Intents that nobody has taken up: meanwhile nothing is claimed.
    flights: list[Flight] = field(default_factory=list)
    queues: dict[str, list[Told]] = field(default_factory=lambda: {name: [] for name in READERS})

    def __post_init__(self) -> None:
        self.plan = prepare(FULFIL_ORDER)
        self.order_id, self.shop_id = uuid7(), uuid7()
        self.saga = SagaRow(
            uuid7(), FULFIL_ORDER.name, 1, self.shop_id, self.order_id, "A-1", "A-1", 100, "EUR", {}, "",
            state="running", stage=1, deadline_at=START + PATIENCE, style=CHOREOGRAPHY,
        )  # fmt: skip
        (place,) = first_rows(self.plan, self.saga, now=self.now)
        place.state, place.finished_at, place.wake_at = "done", self.now, None
        self.rows: dict[tuple[int, str], StepRow] = {(0, DO): place}
        self.tell(self._placed())

    # --- events ----------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        for queue in self.queues.values():
            queue.append(Told(event=event, key=uuid7()))

    def deliver(self, reader: str, count: int, *, again: bool = False) -> None:
        """Let a reader take in its next events, at once; `again` leaves them to come a second time."""
        told = self.queues[reader][:count]
        if not again:
            del self.queues[reader][:count]
        react = READERS[reader]
        acts = [act for t in told for act in react(t if reader == "follower" else t.event)]
        if acts:
            self.take(self._acted(acts))

    def _acted(self, acts: list[Act]) -> Change:
        """What acts come to with as many rows as the shell loads for them."""
        needed = rows_needed(self.saga, acts)
        if needed == frozenset():
            return listen(self.saga, heard_in(acts), self.now)
        part = self._part([r for r in self.rows.values() if needed is None or r.name in needed])
        apply_all(part, acts)
        return part.change()

    def swap(self, reader: str) -> None:
        """The next two events come the other way round, as streams may."""
        queue = self.queues[reader]
        queue[:2] = queue[1::-1] if len(queue) > 1 else queue[:2]

    # --- the shell around the rules --------------------------------------------------------------------------

    def due(self) -> list[StepRow]:
        if self.wishes or self.saga.hold in ("parked", "paused"):
            return []
        rows = [r for r in self.rows.values() if r.open and r.wake_at is not None and r.wake_at <= self.now]
        return sorted(rows, key=lambda r: (r.position, r.direction))

    def run(self, row: StepRow, verdict: str) -> None:
        """Claim a due row and let its handler come to `verdict`. `killed` never records by itself."""
        flight = self._claim(row)
        if not get_step(row.name).external:
            if verdict == "bug":
                self._break(flight)
            elif verdict not in ("killed", "lost", "lost_refused", "paused"):
                self._record(flight, self._local(row, verdict))
            else:
                row.attempt -= 1
        elif verdict in ("paused", "killed"):
            flight.paused = verdict == "paused"
            self.flights += [flight] if flight.paused else []
        elif verdict in ("lost", "lost_refused"):
            flight.outcome = self._external(flight, "refused" if verdict == "lost_refused" else "done")
            self.flights.append(flight)
        elif verdict == "bug":
            self._break(flight)
        else:
            self._record(flight, self._external(flight, verdict))

    def wake(self, flight: Flight) -> None:
        """A worker that lingered goes on."""
        self.flights.remove(flight)
        self._record(flight, flight.outcome or self._external(flight, "done"))

    def cancel(self) -> None:
        """The shop changes its mind: an intent and an event in one commit."""
        if self.order == "pending":
            self.wishes += 1
            self._request()

    def take_up(self) -> None:
        """What was asked is taken up, before or after the apps have heard of it."""
        while self.wishes:
            self.wishes -= 1
            self.ask("cancel")

    def ask(self, kind: str) -> None:
        part = self._part()
        reply = intents.apply(part, Asked(uuid7(), self.saga.id, kind, "ann", "because", {}))
        self.take(part.change())
        if reply.late and self.order == "pending":
            self._request()

    def _request(self) -> None:
        self.order = "cancelling"
        self.tell(orders.CancellationRequested(**self._who(), saga_id=self.saga.id, whole=True, reason="why"))

    def take(self, change: Change) -> None:
        assert allowed(Saga.MOVES, self.saga.state, change.saga.state), (self.saga.state, change.saga.state)
        assert allowed(Saga.HOLD_MOVES, self.saga.hold, change.saga.hold)
        self.saga = change.saga
        for row in (*change.updated, *change.created):
            before = self.rows.get((row.position, row.direction))
            assert before is None or allowed(SagaStep.MOVES, before.state, row.state), (before, row)
            self.rows[row.position, row.direction] = row
            if row.direction == UNDO and row.state in (DROPPED, SKIPPED):
                self.tell(
                    UndoSettled(saga_id=self.saga.id, subject_id=self.order_id, undo=row.name, how=row.code)
                )
        done = [p for p, way in self.rows if way == DO and self.rows[p, way].state in ("done", "skipped")]
        assert self.saga.stage == next(n for n in range(len(self.plan.places) + 1) if n not in done)

    def settle(self) -> None:
        """Everything works from now on, and everything is told; at the end the zombies wake up."""
        for _ in range(300):
            self.take_up()
            if self.saga.hold in ("parked", "paused"):
                self.ask("resume")
            for reader in READERS:
                self.deliver(reader, 100)
            for row in self.due():
                self.run(self.rows[row.position, row.direction], "done")
            if self.saga.state in FINAL and not any(self.queues.values()) and not self._open():
                if not self.flights:
                    return
                self.wake(self.flights[0])
            wakes = [r.wake_at for r in self.rows.values() if r.open and r.wake_at]
            self.now = max(self.now, min(wakes, default=self.now)) + timedelta(milliseconds=1)
        raise AssertionError(f"never settled: {self.saga} {list(self.rows.values())}")

    def round(self) -> None:
        """Everybody hears everything, and the first thing due is done."""
        self.take_up()
        for reader in READERS:
            self.deliver(reader, 100)
        for row in self.due()[:1]:
            self.run(row, "done")

    def _open(self) -> bool:
        return any(r.open for r in self.rows.values())

    def _part(self, rows: Iterable[StepRow] | None = None) -> Part:
        return Part(
            self.plan, self.saga, self.rows.values() if rows is None else rows, now=self.now, rng=self.rng
        )

    def _claim(self, row: StepRow) -> Flight:
        if row.lease_until is not None:
            row.verdict = "unknown"
        row.attempt, row.began_at = row.attempt + 1, row.began_at or self.now
        flight = Flight(row.copy(), row.epoch, row.verdict == "unknown")
        if get_step(row.name).external:
            row.lease_until = row.wake_at = self.now + LEASE
        return flight

    def _record(self, flight: Flight, outcome: Outcome) -> None:
        row = self.rows[flight.row.position, flight.row.direction]
        # An app that has its answer already tells nothing of a later no.
        late_no = isinstance(outcome, Refused) and EFFECTS.get(row.name) in self.live
        if not (late_no or (row.direction == UNDO and isinstance(outcome, Refused))):
            self._publish(row.name, outcome)
        late = not row.open or (row.attempt, row.epoch) != (flight.row.attempt, flight.epoch)
        whole = late or needs_all(Claimed(row, self.saga), outcome)
        part = self._part(None if whole else [row])
        part.heard(row, flight.row.attempt, outcome)
        self.take(part.change())

    def _break(self, flight: Flight) -> None:
        """The handler is at fault, after it may have done its work."""
        row = self.rows[flight.row.position, flight.row.direction]
        if get_step(row.name).external:
            self._external(flight, "done")
        part = self._part()
        part.broke(row, flight.row.attempt, "bug", "ZeroDivisionError")
        self.take(part.change())

    # --- the apps and the outside ----------------------------------------------------------------------------

    def _external(self, flight: Flight, verdict: str) -> Outcome:
        row = flight.row
        if verdict == "unknown_done" and not flight.settling:
            self._do(row.name)
        if trouble := self._trouble(flight, verdict):
            return trouble
        if flight.settling and row.direction == DO:
            return Done() if self._did(row.name) else NotDone()
        return self._do(row.name)

    def _trouble(self, flight: Flight, verdict: str) -> Outcome | None:
        match verdict:
            case "unknown_done" | "unknown_not_done":
                return Unknown("dropped")
            case "unavailable":
                return Unavailable("busy")
            case "waiting" if flight.row.direction == DO:
                return Waiting("approval", until=self.now + timedelta(seconds=30))
            case "refused" if flight.row.direction == UNDO or not flight.settling:
                return Refused("no")
        return None

    def _did(self, name: str) -> bool:
        return EFFECTS[name] in self.live or (name == AUTHORIZE and "money" in self.live)

    def _do(self, name: str) -> Outcome:
        if name in TAKES:
            self.live -= TAKES[name]
            return Done()
        if name == CAPTURE:
            if "hold" not in self.live and "money" not in self.live:
                return Refused("nothing_held")
            self.taken += "money" not in self.live
            self.live.discard("hold")
        if name == AUTHORIZE and "money" in self.live:
            return Done()
        self.live.add(EFFECTS[name])
        return Done()

    def _local(self, row: StepRow, verdict: str) -> Outcome:
        if verdict == "unavailable":
            return Unavailable("busy")
        if row.name == orders.CONFIRM_ORDER:
            if self.order == "cancelling":
                return Unavailable("orders.cancelling")
            self.order = "confirmed"
            return Done()
        if row.name == orders.CANCEL_ORDER:
            assert not self.live, f"the order ends and {self.live} is still there"
            self.order = "cancelled" if self.order == "cancelling" else "rejected"
            return Done()
        if row.name == inventory.RESERVE_STOCK and verdict == "refused":
            return Refused("out_of_stock")
        return self._do(row.name)

    def _publish(self, name: str, outcome: Outcome) -> None:
        """What the app tells in the commit of what it recorded."""
        kind = (
            "done" if isinstance(outcome, Done)
            else "refused" if isinstance(outcome, Refused) and not isinstance(outcome, NotDone) else ""
        )  # fmt: skip
        if make := self._events().get((name, kind)):
            self.tell(make)

    def _events(self) -> dict[tuple[str, str], Event]:
        who = self._who()
        money: dict[str, Any] = {"payment_id": self.order_id, "amount_minor": 100, "currency": "EUR"}
        paid, parcel = {**who, **money}, {**who, "shipment_id": self.order_id}
        lines: dict[str, Any] = {"lines": []}
        held = {**who, "reservation_id": self.order_id, **lines}
        return {
            (AUTHORIZE, "done"): payments.PaymentAuthorized(**paid),
            (AUTHORIZE, "refused"): payments.PaymentDeclined(**paid, code="no"),
            (CAPTURE, "done"): payments.PaymentCaptured(**paid),
            (CAPTURE, "refused"): payments.CaptureFailed(**paid, code="no"),
            (VOID, "done"): payments.PaymentVoided(**paid),
            (inventory.RESERVE_STOCK, "done"): inventory.StockReserved(**held, expires_at=START),
            (inventory.RESERVE_STOCK, "refused"): inventory.StockRefused(**who, code="no", sku="S"),
            (inventory.RELEASE_RESERVATION, "done"): inventory.StockReleased(**held, reason="", whole=True),
            (shipping.BOOK_SHIPMENT, "done"): shipping.ShipmentBooked(**parcel, tracking="T", **lines),
            (shipping.BOOK_SHIPMENT, "refused"): shipping.ShipmentRefused(**parcel, code="no"),
            (shipping.CANCEL_SHIPMENT, "done"): shipping.ShipmentCancelled(**parcel, reason=""),
            (orders.CONFIRM_ORDER, "done"): orders.OrderConfirmed(**who),
            (orders.CANCEL_ORDER, "done"): orders.OrderRejected(**who, code="no"),
        }

    def _who(self) -> dict[str, Any]:
        return {"order_id": self.order_id, "shop_id": self.shop_id}

    def _placed(self) -> Event:
        return orders.OrderPlaced(
            **self._who(), external_reference="A-1", person_id=uuid7(), currency="EUR", total_minor=100,
            goods_minor=100, charges_minor=0, country="DE", payment_method="pm", placed_at=START, lines=(),
            fulfilment=orders.CHOREOGRAPHY,
        )  # fmt: skip
