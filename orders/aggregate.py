"""The order as its events tell it. Decisions in methods, state only from `apply`; no database here.

A decision either raises and changes nothing, or adds one or more events to `changes` and applies them. The
row in `orders_order` is `snapshot()`, written in the commit of those events; see `orders.repository`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from orders import contract
from orders.appliers import APPLIERS
from orders.lines import Line, MoreThanOrdered, spread
from orders.states import FINAL, MOVES, REFUNDABLE, LockKind, State
from sagas.events import Event
from sagas.verdicts import IllegalMove, Refused

if TYPE_CHECKING:
    from sagas.log import Recorded


class OrderLocked(Refused):
    """A saga is changing the order. Try again when it is done."""

    code = "orders.order_locked"


class OrderNotFound(Refused):
    """There is no such order in this shop. HTTP 404."""

    code = "orders.not_found"


class AlreadyHandedOver(Refused):
    """The goods are with the carrier. What remains is a return."""

    code = "orders.already_handed_over"


class InParcels(Refused):
    """The order is shipped in parcels, and some of it may still leave or be cancelled: the whole gives nothing back."""

    code = "orders.in_parcels"


class BrokenStream(ValueError):
    """Events that are no stream: one is missing, comes twice, or is another order's. Nothing is rebuilt."""


@dataclass(slots=True)
class Order:
    """One order, built by `place`, `from_events` or from its row. All but the last two fields are columns."""

    MOVES: ClassVar = MOVES
    FINAL: ClassVar = FINAL

    id: UUID
    shop_id: UUID
    external_reference: str = ""
    version: int = 0
    state: State = State.DRAFT
    person_id: UUID | None = None
    country: str = ""
    payment_method: str = ""
    fulfilment: str = contract.ORCHESTRATION
    in_parcels: bool = False
    currency: str = ""
    total_minor: int = 0
    goods_minor: int = 0
    charges_minor: int = 0
    cancelled_minor: int = 0
    returned_minor: int = 0
    refunded_minor: int = 0
    charges: list[dict[str, Any]] = field(default_factory=list)
    lock_saga: UUID | None = None
    lock_kind: LockKind = LockKind.NONE
    lock_since: datetime | None = None
    on_hold: bool = False
    hold_reason: str = ""
    hold_owner: str = ""
    needs_attention: bool = False
    attention_reason: str = ""
    end_code: str = ""
    cancel_reason: str = ""
    placed_at: datetime | None = None
    received_at: datetime | None = None
    moved_at: datetime | None = None
    lines: dict[int, Line] = field(default_factory=dict)
    changes: list[Event] = field(default_factory=list)

    # --- from events ------------------------------------------------------------------------------

    @classmethod
    def place(cls, placed: contract.OrderPlaced, *, now: datetime) -> Self:
        """A new draft, version 1."""
        order = cls(id=placed.order_id, shop_id=placed.shop_id)
        order._emit(placed, now)
        return order

    @classmethod
    def from_events(cls, recorded: Iterable[Recorded], *, base: Self | None = None) -> Self:
        """Replay a stream, or its beginning; with a `base`, what came after it. The base is used up.

        Raises BrokenStream unless the events follow one another, from OrderPlaced on.
        """
        order = base
        for item in recorded:
            order = cls._begun(item) if order is None else order
            order._follow(item)
        if order is None:
            raise BrokenStream("There is no such order.")
        return order

    @classmethod
    def _begun(cls, first: Recorded) -> Self:
        if not isinstance(first.event, contract.OrderPlaced):
            raise BrokenStream(f"Stream {first.stream}: an order's stream begins with OrderPlaced.")
        return cls(id=first.event.order_id, shop_id=first.event.shop_id)

    def _follow(self, item: Recorded) -> None:
        if (item.stream, item.version) != (self.id, self.version + 1):
            raise BrokenStream(
                f"Stream {item.stream}: version {item.version} where {self.version + 1} of {self.id} was due."
            )
        self.apply(item.event, at=item.at)

    def apply(self, event: Event, *, at: datetime) -> None:
        """Take one fact over. Never refuses: it has happened."""
        APPLIERS[type(event)](self, event, at)
        self.version += 1

    def snapshot(self) -> dict[str, Any]:
        """The row: every column with its value."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("lines", "changes")}

    def _emit(self, event: Event, now: datetime) -> None:
        self.apply(event, at=now)
        self.changes.append(event)

    # --- the fulfilment saga ----------------------------------------------------------------------

    def accept(self, saga_id: UUID, *, now: datetime) -> None:
        """Draft to pending; the saga takes the lock."""
        self._may(State.PENDING)
        self._emit(contract.OrderAccepted(**self._who(), saga_id=saga_id), now)

    def confirm(self, *, now: datetime) -> None:
        """The capture is behind us. Also from cancelling: the cancellation then begins anew."""
        self._may(State.CONFIRMED)
        if self.lock_kind is not LockKind.FULFIL:
            raise IllegalMove(detail=f"{self.external_reference} is not being fulfilled")
        self._emit(contract.OrderConfirmed(**self._who()), now)

    @property
    def choreographed(self) -> bool:
        """Whether nobody leads its fulfilment."""
        return self.fulfilment == contract.CHOREOGRAPHY

    def reject(self, code: str, *, now: datetime) -> None:
        """End it by a refusal or a deadline."""
        self._may(State.REJECTED)
        self._emit(contract.OrderRejected(**self._who(), code=code), now)

    # --- cancelling -------------------------------------------------------------------------------

    def request_cancellation(self, saga_id: UUID, *, reason: str, now: datetime, whole: bool = True) -> None:
        """Note that somebody asked. Before the confirmation the fulfilment turns back; a part has to wait."""
        self.check_cancellable(whole=whole)
        event = contract.CancellationRequested(**self._who(), saga_id=saga_id, whole=whole, reason=reason)
        self._emit(event, now)

    def check_cancellable(self, *, whole: bool = True) -> None:
        """Raise AlreadyHandedOver, OrderLocked, InParcels or IllegalMove if no cancellation can be asked for now."""
        if self.state in (State.PROCESSING, State.COMPLETED):
            raise AlreadyHandedOver(detail=f"{self.external_reference} is {self.state}; a return is needed")
        early = self.state in (State.DRAFT, State.PENDING)
        if self.lock_kind is not LockKind.NONE and not (whole and early):
            raise self._locked()
        if early and not whole:
            raise OrderLocked(detail=f"{self.external_reference} is {self.state}")
        if self.in_parcels and not early:
            raise InParcels(detail=f"{self.external_reference} is {self.state}")
        self._may(State.CANCELLING)

    def cancel(self, saga_id: UUID, *, reason: str, now: datetime) -> None:
        """Everything was given back. An order nobody has asked to cancel is noted as asked for first."""
        if self.state in (State.DRAFT, State.PENDING):
            self.request_cancellation(saga_id, reason=reason, now=now)
        self._may(State.CANCELLED)
        self._emit(contract.OrderCancelled(**self._who(), reason=self.cancel_reason or reason), now)

    def cancel_lines(
        self, saga_id: UUID, lines: Sequence[Mapping[str, Any]], *, amount_minor: int, now: datetime
    ) -> None:
        """Pieces that will not be shipped, as {sku, quantity}. With the last of them the order is cancelled.

        Needs the lines. Raises Refused `orders.more_than_ordered` if there are not so many left.
        """
        self._held_by(saga_id, LockKind.CANCEL)
        taken = spread(self.lines.values(), lines)
        who = self._who()
        self._emit(contract.OrderLinesCancelled(**who, lines=taken, amount_minor=amount_minor), now)
        if self.state is State.CONFIRMED and not any(line.ships for line in self.lines.values()):
            self.request_cancellation(saga_id, reason=self.cancel_reason, now=now)
            self._emit(contract.OrderCancelled(**who, reason=self.cancel_reason), now)

    def cancel_pieces(self, pieces: Mapping[int, int], *, amount_minor: int, now: datetime) -> None:
        """Pieces of an order in parcels, by position, that nobody ships. Its parcels keep their own order: no lock.

        Needs the lines. Raises OrderLocked while somebody else holds the order, or `orders.more_than_ordered`.
        """
        if self.lock_kind is not LockKind.NONE:
            raise self._locked()
        taken = self._taken(pieces)
        self._emit(contract.OrderLinesCancelled(**self._who(), lines=taken, amount_minor=amount_minor), now)

    def end_cancelled(self, saga_id: UUID, *, reason: str, now: datetime) -> None:
        """No piece of an order in parcels is left. Needs the lines. Of no effect while one is, or was handed over."""
        if self.state is not State.CONFIRMED or any(line.ships for line in self.lines.values()):
            return
        asked = contract.CancellationRequested(**self._who(), saga_id=saga_id, whole=True, reason=reason)
        self._emit(asked, now)
        self._emit(contract.OrderCancelled(**self._who(), reason=reason), now)

    def abandon_cancellation(self, saga_id: UUID, *, code: str, now: datetime) -> None:
        """The goods were handed over first: the order goes on."""
        self._held_by(saga_id, LockKind.CANCEL)
        self._emit(contract.CancellationLost(**self._who(), code=code), now)

    # --- the goods --------------------------------------------------------------------------------

    def start_processing(self, *, now: datetime) -> None:
        """The carrier has a parcel. Wins against a cancellation that is under way."""
        self._may(State.PROCESSING)
        if self.state is State.CANCELLING and self.lock_kind is not LockKind.CANCEL:
            raise IllegalMove(detail=f"{self.external_reference} is not confirmed")
        self._emit(contract.OrderProcessing(**self._who()), now)

    def complete(self, *, now: datetime) -> None:
        """Every parcel was delivered. What was delivered was handed over, even if nobody has said so."""
        if self.state in (State.CONFIRMED, State.CANCELLING):
            self.start_processing(now=now)
        self._may(State.COMPLETED)
        self._emit(contract.OrderCompleted(**self._who()), now)

    def open_return(self, saga_id: UUID, *, now: datetime) -> None:
        """Goods are coming back; the return's saga takes the lock."""
        if self.state not in (State.PROCESSING, State.COMPLETED):
            raise IllegalMove(detail=f"{self.external_reference} is {self.state}: nothing was handed over")
        if self.lock_kind is not LockKind.NONE:
            raise self._locked()
        self._emit(contract.ReturnOpened(**self._who(), saga_id=saga_id), now)

    def return_goods(
        self, saga_id: UUID, lines: Sequence[Mapping[str, Any]], *, amount_minor: int, now: datetime
    ) -> None:
        """Close a return with what was accepted, as {sku, quantity}; none at all is a return refused.

        Needs the lines. Raises Refused `orders.more_than_ordered` if there are not so many left.
        """
        self._goods_back(saga_id, spread(self.lines.values(), lines), amount_minor, now)

    def return_pieces(
        self, saga_id: UUID, pieces: Mapping[int, int], *, amount_minor: int, now: datetime
    ) -> None:
        """The same with pieces by the position of their line."""
        self._goods_back(saga_id, self._taken(pieces), amount_minor, now)

    def _taken(self, pieces: Mapping[int, int]) -> tuple[dict[str, Any], ...]:
        if over := [p for p, count in pieces.items() if not 0 < count <= self.lines[p].left]:
            raise MoreThanOrdered(detail=f"{pieces[over[0]]} of line {over[0]}")
        return tuple(
            {"position": p, "sku": self.lines[p].sku, "quantity": n} for p, n in sorted(pieces.items())
        )

    def _goods_back(
        self, saga_id: UUID, taken: tuple[dict[str, Any], ...], amount_minor: int, now: datetime
    ) -> None:
        self._held_by(saga_id, LockKind.RETURN)
        self._emit(contract.GoodsReturned(**self._who(), lines=taken, amount_minor=amount_minor), now)

    # --- only the money ---------------------------------------------------------------------------

    def check_refundable(self) -> None:
        """Raise IllegalMove or OrderLocked if no money can be paid back now. Of one in parcels more has to be asked."""
        if self.state not in REFUNDABLE:
            raise IllegalMove(detail=f"{self.external_reference} is {self.state}: nothing can be refunded")
        if self.lock_kind is not LockKind.NONE:
            raise self._locked()

    def open_refund(self, saga_id: UUID, request_id: UUID, *, now: datetime) -> None:
        """Money is to go back; the refund's saga takes the lock."""
        self.check_refundable()
        self._emit(contract.RefundOpened(**self._who(), saga_id=saga_id, request_id=request_id), now)

    def refund(
        self,
        saga_id: UUID,
        request_id: UUID,
        lines: Sequence[Mapping[str, Any]],
        *,
        amount_minor: int,
        now: datetime,
    ) -> None:
        """Count what was paid back, as {position, sku, quantity, amount_minor}, and let go of the lock.

        Needs the lines, if there are any.
        """
        self._held_by(saga_id, LockKind.REFUND)
        pieces = tuple(dict(item) for item in lines)
        who = self._who()
        event = contract.OrderRefunded(**who, request_id=request_id, lines=pieces, amount_minor=amount_minor)
        self._emit(event, now)

    # --- flags ------------------------------------------------------------------------------------

    def need_attention(self, reason: str, *, on_hold: bool, owner: str, now: datetime) -> None:
        """Call a person. Repeating the same reason says nothing new."""
        if (self.needs_attention, self.attention_reason, self.on_hold) == (True, reason, on_hold):
            return
        event = contract.OrderNeedsAttention(**self._who(), reason=reason, on_hold=on_hold, owner=owner)
        self._emit(event, now)

    def clear_attention(self, *, now: datetime) -> None:
        """A person has looked."""
        if not self.needs_attention and not self.on_hold:
            raise IllegalMove(detail=f"{self.external_reference} asks for nobody")
        self._emit(contract.OrderAttentionCleared(**self._who()), now)

    def correct_address(self, person_id: UUID, *, now: datetime) -> None:
        """It goes to this person from now on. If it was on hold for that, it is no more."""
        self._emit(contract.AddressCorrected(**self._who(), person_id=person_id), now)

    # --- rules ------------------------------------------------------------------------------------

    @property
    def outstanding_minor(self) -> int:
        """What was not credited or refunded yet, never below zero."""
        given = self.cancelled_minor + self.returned_minor + self.refunded_minor
        return max(0, self.total_minor - given)

    def _who(self) -> dict[str, UUID]:
        return {"order_id": self.id, "shop_id": self.shop_id}

    def _may(self, to: State) -> None:
        if to not in MOVES[self.state]:
            raise IllegalMove(detail=f"{self.external_reference}: {self.state} to {to}")

    def _held_by(self, saga_id: UUID, kind: LockKind) -> None:
        if (self.lock_saga, self.lock_kind) != (saga_id, kind):
            raise IllegalMove(detail=f"{self.external_reference} is not held by {saga_id} for {kind}")

    def _locked(self) -> OrderLocked:
        since = f"{self.lock_since:%Y-%m-%dT%H:%M:%SZ}" if self.lock_since else ""
        return OrderLocked(detail=f"{self.lock_kind} saga {self.lock_saga} holds it since {since}")
