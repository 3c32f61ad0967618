"""Which pieces of an order may come back, and what they are worth. No database here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orders import worth
from orders.aggregate import Order
from orders.contract import GOODS
from orders.lines import Line
from orders.returns.refusals import NotHandedOver, ReturnInvalid, ReturnTooLate, SpokenFor
from orders.states import State
from orders.worth import Pieces, Promised

NOTHING_PROMISED = Promised()
HANDED_OVER = (State.PROCESSING, State.COMPLETED)


@dataclass(frozen=True, slots=True)
class Wish:
    """Pieces that somebody wants to send back: of one line by its `position`, or of all lines of a `sku`."""

    quantity: int
    position: int | None = None
    sku: str = ""


def check_time(order: Order, *, window: timedelta, now: datetime) -> None:
    """Raise NotHandedOver before the goods have left, ReturnTooLate when their delivery is longer ago than `window`."""
    if order.state not in HANDED_OVER:
        raise NotHandedOver(detail=f"{order.external_reference} is {order.state}")
    delivered = order.moved_at if order.state is State.COMPLETED else None
    if delivered is not None and now > delivered + window:
        raise ReturnTooLate(
            detail=f"delivered {delivered:%Y-%m-%d}, to be returned within {window.days} days"
        )


def free_pieces(
    lines: Iterable[Line],
    spoken_for: Pieces,
    promised: Promised = NOTHING_PROMISED,
    handed_over: Pieces | None = None,
) -> dict[int, int]:
    """The pieces of each line of goods that were handed over and are not given back, refunded, spoken for or promised.

    Without `handed_over` all of them were.
    """
    return {
        line.position: max(
            0,
            _with_the_customer(line, handed_over)
            - spoken_for.get(line.position, 0)
            - promised.count(line.position),
        )
        for line in lines
        if line.kind == GOODS
    }


def _with_the_customer(line: Line, handed_over: Pieces | None) -> int:
    if handed_over is None:
        return line.left
    return min(line.left, handed_over.get(line.position, 0) - line.returned - line.refunded)


def everything(free: Pieces) -> dict[int, int]:
    """All that is free, by line."""
    return {position: pieces for position, pieces in free.items() if pieces}


def granted(order: Order, wishes: Sequence[Wish], free: Pieces) -> dict[int, int]:
    """The wishes by line; pieces of a SKU are counted on its lines, the last line first.

    Raises ReturnInvalid for what is no goods of the order, SpokenFor for more than is free.
    """
    wanted: Counter[int] = Counter()
    for wish in wishes:
        lines = _lines_of(order, wish)
        for position, pieces in _spread(wish, lines, free, wanted).items():
            wanted[position] += pieces
    return dict(wanted)


def _lines_of(order: Order, wish: Wish) -> list[Line]:
    lines = [order.lines[wish.position]] if wish.position in order.lines else []
    if wish.position is None:
        lines = [line for line in order.lines.values() if line.sku == wish.sku]
    goods = [line for line in lines if line.kind == GOODS]
    if not goods or wish.quantity < 1:
        what = f"line {wish.position}" if wish.position is not None else wish.sku
        raise ReturnInvalid(detail=f"{wish.quantity} of {what}: no goods of {order.external_reference}")
    return sorted(goods, key=lambda line: -line.position)


def _spread(wish: Wish, lines: Iterable[Line], free: Pieces, taken: Pieces) -> dict[int, int]:
    found, rest = {}, wish.quantity
    for line in lines:
        if pieces := min(rest, free[line.position] - taken.get(line.position, 0)):
            found[line.position] = pieces
            rest -= pieces
    if rest:
        what = f"line {wish.position}" if wish.position is not None else wish.sku
        raise SpokenFor(detail=f"{rest} of {what} more than can be returned")
    return found


def value_of(order: Order, pieces: Pieces, promised: Promised = NOTHING_PROMISED) -> int:
    """What the pieces are worth now, in the order's minor unit, and no more than it has outstanding.

    In whatever portions a line goes back, the portions sum to its total exactly; see `orders.worth`.
    """
    return min(worth.of_goods(order, pieces, promised), order.outstanding_minor)
