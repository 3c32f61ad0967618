"""How much of an order may go back. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orders import worth
from orders.aggregate import Order
from orders.lines import Line, MoreThanOrdered
from orders.returns.refusals import SpokenFor
from orders.worth import Pieces, Promised
from sagas.money import money
from sagas.verdicts import Refused


class NoSuchLine(Refused):
    """The order has no line of that position."""

    code = "orders.no_such_line"


class RefundTooLarge(Refused):
    """More than what is left of the order: `left_minor`, after what was given back or waits for approval."""

    code = "orders.refund_too_large"

    def __init__(self, asked_minor: int, left_minor: int, currency: str) -> None:
        left = money(left_minor, currency)
        super().__init__(detail=f"{money(asked_minor, currency)} is more than the {left} that is left")
        self.left_minor = left_minor


class NothingToRefund(Refused):
    """Nothing is left of the order, or the pieces cost nothing."""

    code = "orders.nothing_to_refund"


class BadWish(Refused):
    """A refund is the whole order, an amount above zero, or pieces of lines: exactly one of these."""

    code = "orders.refund_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for: everything outstanding, an amount, or pieces by the position of their line."""

    whole: bool = False
    amount_minor: int = 0
    pieces: Pieces = field(default_factory=dict)

    def __post_init__(self) -> None:
        ways = (self.whole, self.amount_minor != 0, bool(self.pieces))
        if sum(ways) != 1 or self.amount_minor < 0 or any(n < 1 for n in self.pieces.values()):
            raise BadWish(detail="the whole order, an amount above zero, or pieces")


NOT_RETURNED: Pieces = {}


@dataclass(frozen=True, slots=True)
class Settled:
    """A wish in numbers: the amount, and the lines it is for."""

    amount_minor: int
    lines: list[dict[str, Any]]


def settle(wanted: Wanted, order: Order, promised: Promised, in_returns: Pieces = NOT_RETURNED) -> Settled:
    """Turn a wish into numbers, under the order's lock and with its lines. `in_returns` are pieces in open returns.

    Raises NoSuchLine, MoreThanOrdered, SpokenFor, NothingToRefund, or RefundTooLarge, which says what is left.
    """
    for position, quantity in sorted(wanted.pieces.items()):
        _check_left(order, position, quantity, promised)
        _check_returns(order, position, quantity, promised, in_returns)
    left = left_of(order, promised)
    lines = _priced(order, wanted.pieces, promised)
    amount = left if wanted.whole else wanted.amount_minor or sum(item["amount_minor"] for item in lines)
    if amount == 0:
        raise NothingToRefund(detail="nothing is left" if wanted.whole else "these pieces cost nothing")
    if amount > left:
        raise RefundTooLarge(amount, left, order.currency)
    return Settled(amount, lines)


def left_of(order: Order, promised: Promised) -> int:
    """What may still be asked for, in minor units."""
    return max(0, order.outstanding_minor - promised.amount_minor)


def pieces_left(line: Line, promised: Promised) -> int:
    """Pieces of a line whose money may still be asked for."""
    return line.left - promised.count(line.position)


def check_again(
    amount_minor: int, lines: Iterable[Mapping[str, Any]], order: Order, in_returns: Pieces = NOT_RETURNED
) -> None:
    """Whether what was promised can still be kept. Raises RefundTooLarge, MoreThanOrdered or SpokenFor."""
    if amount_minor > order.outstanding_minor:
        raise RefundTooLarge(amount_minor, order.outstanding_minor, order.currency)
    for item in lines:
        if item["quantity"] > order.lines[item["position"]].left:
            raise MoreThanOrdered(detail=f"line {item['position']} has not so many left")
        _check_returns(order, item["position"], item["quantity"], Promised(), in_returns)


def _priced(order: Order, pieces: Pieces, promised: Promised) -> list[dict[str, Any]]:
    found = worth.of_refund(order, pieces, promised)
    worth.cut(found, left_of(order, promised), order, promised)
    return [
        {"position": p, "sku": order.lines[p].sku, "quantity": pieces[p], "amount_minor": amount}
        for p, amount in found.items()
    ]


def _check_left(order: Order, position: int, quantity: int, promised: Promised) -> None:
    line = order.lines.get(position)
    if line is None:
        raise NoSuchLine(detail=f"{order.external_reference} has no line {position}")
    if quantity > (left := pieces_left(line, promised)):
        raise MoreThanOrdered(detail=f"line {position} has {left} left, not {quantity}")


def _check_returns(
    order: Order, position: int, quantity: int, promised: Promised, in_returns: Pieces
) -> None:
    """Pieces on their way back are paid for by their return, or not at all."""
    left = pieces_left(order.lines[position], promised)
    if quantity > left - (spoken := in_returns.get(position, 0)):
        raise SpokenFor(detail=f"line {position} has {left} left, {spoken} of them in an open return")
