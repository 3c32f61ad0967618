"""What pieces are worth whose money goes back: in whatever portions and ways, they sum to their lines exactly.

Every piece of a line has a price of its own, by rounding cumulatively. Refunds take them from the front, what was
cancelled or returned from the back, so neither depends on what the other did before. What was rounded otherwise (by a
shop in its credit note, by a promise before one that was declined) the last pieces make up for. No database here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orders.aggregate import Order
from orders.lines import Line

#: Pieces by the position of their line.
Pieces = Mapping[int, int]
NOTHING = (0, 0)


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
                quantity, worth = pieces.get(item["position"], NOTHING)
                pieces[item["position"]] = (quantity + item["quantity"], worth + item["amount_minor"])
        return cls(total, pieces)

    def count(self, position: int) -> int:
        """Pieces of a line that wait."""
        return self.pieces.get(position, NOTHING)[0]

    def worth(self, position: int) -> int:
        """What they are worth, in minor units."""
        return self.pieces.get(position, NOTHING)[1]


def of_refund(order: Order, pieces: Pieces, promised: Promised) -> dict[int, int]:
    """What each line of these pieces is worth if only its money goes back, in minor units. Needs the lines."""
    found = {p: _from_the_front(order.lines[p], count, promised) for p, count in sorted(pieces.items())}
    if _are_the_last(order, pieces, promised):
        _spread(_rest(order, promised) - sum(found.values()), found, order, promised)
    return found


def of_goods(order: Order, pieces: Pieces, promised: Promised) -> int:
    """What these pieces are worth that come back, in minor units. Needs the lines."""
    if _are_the_last(order, pieces, promised):
        return _rest(order, promised)
    return sum(_from_the_back(order.lines[p], count, promised) for p, count in pieces.items())


def cut(found: dict[int, int], left_minor: int, order: Order, promised: Promised) -> None:
    """Take from the lines what they exceed the rest of the order by, if that is no more than rounding."""
    over = sum(found.values()) - left_minor
    if 0 < over <= _rounding(order):
        _spread(-over, found, order, promised)


def _from_the_front(line: Line, pieces: int, promised: Promised) -> int:
    together = line.share(line.refunded + promised.count(line.position) + pieces)
    return max(0, together - line.refunded_minor - promised.worth(line.position))


def _from_the_back(line: Line, pieces: int, promised: Promised) -> int:
    if line.left - promised.count(line.position) == pieces:  # nothing is left between the two
        return max(0, line.share(line.kept) - line.refunded_minor - promised.worth(line.position))
    return line.share(line.kept) - line.share(line.kept - pieces)


def _are_the_last(order: Order, pieces: Pieces, promised: Promised) -> bool:
    lines = order.lines.values()
    return all(line.left - promised.count(line.position) == pieces.get(line.position, 0) for line in lines)


def _rest(order: Order, promised: Promised) -> int:
    """What nothing has been given for of the lines."""
    lines = order.lines.values()
    rest = sum(x.total_minor - x.refunded_minor - promised.worth(x.position) for x in lines) - _gone(order)
    return max(0, rest)


def _gone(order: Order) -> int:
    """What was given for pieces that were cancelled or returned. If charges or money alone went along, as priced."""
    given = order.cancelled_minor + order.returned_minor
    priced = sum(line.total_minor - line.share(line.kept) for line in order.lines.values())
    return given if abs(given - priced) <= _rounding(order) else priced


def _rounding(order: Order) -> int:
    """By how much those who gave pieces back by their own figures may be off: a minor unit each."""
    return sum(line.cancelled + line.returned for line in order.lines.values())


def _spread(more: int, found: dict[int, int], order: Order, promised: Promised) -> None:
    """Add to lines, or take from them, never beyond what a line costs."""
    for position, worth in found.items():
        line = order.lines[position]
        room = line.total_minor - line.refunded_minor - promised.worth(position) - worth
        step = max(-worth, min(more, room))
        found[position] = worth + step
        more -= step
