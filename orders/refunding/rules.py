"""How much of an order may go back, and what pieces of it are worth. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orders.aggregate import Order
from orders.lines import Line, MoreThanOrdered
from sagas.money import money
from sagas.verdicts import Refused

Pieces = Mapping[int, int]


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


@dataclass(frozen=True, slots=True)
class Promised:
    """What waits for approval of one order: money, and of each line pieces and what they are worth."""

    amount_minor: int = 0
    pieces: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, requests: Iterable[tuple[int, Sequence[Mapping[str, Any]]]]) -> Promised:
        """Summed from requests as (amount_minor, lines)."""
        total, pieces = 0, dict[int, tuple[int, int]]()
        for amount_minor, lines in requests:
            total += amount_minor
            for item in lines:
                quantity, worth = pieces.get(item["position"], (0, 0))
                pieces[item["position"]] = (quantity + item["quantity"], worth + item["amount_minor"])
        return cls(total, pieces)


@dataclass(frozen=True, slots=True)
class Settled:
    """A wish in numbers: the amount, and the lines it is for."""

    amount_minor: int
    lines: list[dict[str, Any]]


def settle(wanted: Wanted, order: Order, promised: Promised) -> Settled:
    """Turn a wish into numbers, under the order's lock and with its lines.

    Raises NoSuchLine, MoreThanOrdered, NothingToRefund, or RefundTooLarge, which says what is left.
    """
    left = left_of(order, promised)
    lines = [_priced(order, position, n, promised) for position, n in sorted(wanted.pieces.items())]
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
    return line.left - promised.pieces.get(line.position, (0, 0))[0]


def check_again(amount_minor: int, lines: Iterable[Mapping[str, Any]], order: Order) -> None:
    """Whether what was promised can still be kept. Raises RefundTooLarge or MoreThanOrdered."""
    if amount_minor > order.outstanding_minor:
        raise RefundTooLarge(amount_minor, order.outstanding_minor, order.currency)
    for item in lines:
        if item["quantity"] > order.lines[item["position"]].left:
            raise MoreThanOrdered(detail=f"line {item['position']} has not so many left")


def worth(line: Line, quantity: int, *, promised: tuple[int, int] = (0, 0)) -> int:
    """What so many more pieces of a line are worth, in minor units.

    By cumulative rounding: what all pieces given back so far are worth together, less what was paid or promised for
    them. So the pieces of a line sum to its total exactly, in whatever portions they are refunded, even if a promise
    in between came to nothing. Pieces that were cancelled or returned count with their own share.
    """
    elsewhere = line.cancelled + line.returned
    together = line.share(elsewhere + line.refunded + promised[0] + quantity) - line.share(elsewhere)
    return max(0, together - line.refunded_minor - promised[1])


def _priced(order: Order, position: int, quantity: int, promised: Promised) -> dict[str, Any]:
    line = order.lines.get(position)
    if line is None:
        raise NoSuchLine(detail=f"{order.external_reference} has no line {position}")
    if quantity > (left := pieces_left(line, promised)):
        raise MoreThanOrdered(detail=f"line {position} has {left} left, not {quantity}")
    amount = worth(line, quantity, promised=promised.pieces.get(position, (0, 0)))
    return {"position": position, "sku": line.sku, "quantity": quantity, "amount_minor": amount}
