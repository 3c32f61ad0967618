"""What is to be done with a credit note, decided from its order. No database here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from orders.aggregate import Order
from orders.giving_back.models import CreditNote
from orders.lines import Line
from orders.states import LockKind, State

Kind = CreditNote.Kind
Pieces = Sequence[Mapping[str, Any]]


class Way(Enum):
    """What happens next with a waiting note."""

    WAIT = "wait"  #: Its order is still on the way, or somebody else holds it.
    CANCEL = "cancel"  #: The goods have not left: saga orders.cancel_fulfilment.
    RETURN = "return"  #: The goods have left, or only money is meant: saga orders.return_goods.
    BECOME_RETURN = "become_return"  #: A cancellation with nothing left to cancel waits as a return.
    NOTHING = "nothing"  #: The order was never paid.


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of a note's amount its order can still pay back; the rest is owed to the customer."""

    refund_minor: int
    credit_minor: int


def way_for(kind: str, order: Order, lines: Pieces, *, was_paid: bool, to_leave: bool = False) -> Way:
    """Decide by the state of the order. `was_paid` says whether money of it was ever taken.

    `to_leave`: it is shipped in parcels, and some of it may still leave or be cancelled; until then nobody can say what
    is left to give back.
    """
    if order.lock_kind is not LockKind.NONE or to_leave:
        return Way.WAIT
    match order.state:
        case State.REJECTED | State.CANCELLED:
            return Way.RETURN if was_paid else Way.NOTHING
        case State.PROCESSING | State.COMPLETED:
            return Way.RETURN
        case State.CONFIRMED if kind == Kind.CANCELLATION:
            return Way.CANCEL if within(order.lines.values(), lines) else Way.BECOME_RETURN
        case _:
            return Way.WAIT


def share(amount_minor: int, order: Order, *, whole: bool = False) -> Share:
    """Split an amount at what was not credited of the order yet.

    If nothing is left to ship (`whole`), everything is given back, whatever the amount.
    """
    rest = order.outstanding_minor
    refund = rest if whole else min(amount_minor, rest)
    return Share(refund_minor=refund, credit_minor=max(0, amount_minor - rest))


def not_refunded_yet(amount_minor: int, order: Order, *, covered_minor: int = 0) -> int:
    """What of an amount was not paid back already because somebody asked for it (see `orders.refunding`).

    What exceeds the rest of the order is covered by such refunds first: it must not become customer credit as well.
    Each refund covers its money once: `covered_minor` is what earlier notes were covered by already.
    """
    beyond = max(0, amount_minor - order.outstanding_minor)
    return amount_minor - min(beyond, max(0, order.refunded_minor - covered_minor))


def within(lines: Iterable[Line], wanted: Pieces) -> list[dict[str, Any]]:
    """The wanted pieces, cut down to what is left of each SKU, as {sku, quantity}. SKUs add up."""
    left: Counter[str] = Counter()
    for line in lines:
        left[line.sku] += line.left
    asked: Counter[str] = Counter()
    for item in wanted:
        asked[item["sku"]] += item["quantity"]
    cut = {sku: min(quantity, left[sku]) for sku, quantity in asked.items()}
    return [{"sku": sku, "quantity": quantity} for sku, quantity in cut.items() if quantity > 0]


def everything_left(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """All pieces that are neither cancelled nor returned, as {sku, quantity}."""
    left: Counter[str] = Counter()
    for line in lines:
        left[line.sku] += line.left
    return [{"sku": sku, "quantity": quantity} for sku, quantity in left.items() if quantity > 0]


def is_whole(lines: Iterable[Line], wanted: Pieces) -> bool:
    """Whether nothing would be left to ship."""
    to_ship: Counter[str] = Counter()
    for line in lines:
        if line.ships:
            to_ship[line.sku] += line.kept
    asked = {item["sku"]: item["quantity"] for item in wanted}
    return all(asked.get(sku, 0) >= pieces for sku, pieces in to_ship.items())
