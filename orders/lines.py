"""Lines of an order inside the aggregate, and which of them a given-back piece is counted on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orders.contract import GOODS
from sagas.verdicts import Refused


class MoreThanOrdered(Refused):
    """More pieces are to be given back than are left of what was ordered."""

    code = "orders.more_than_ordered"


@dataclass(slots=True)
class Line:
    """Pieces of one line: ordered, and given back before or after the hand-over, or only their money.

    `refunded_minor` is what was paid back for `refunded` pieces, of the line's `total_minor`.
    """

    position: int
    sku: str
    kind: str
    quantity: int
    cancelled: int = 0
    returned: int = 0
    refunded: int = 0
    refunded_minor: int = 0
    total_minor: int = 0

    @property
    def kept(self) -> int:
        """Pieces neither cancelled nor returned: the customer has them, or will."""
        return self.quantity - self.cancelled - self.returned

    @property
    def left(self) -> int:
        """Pieces that can be given back: neither cancelled nor returned, and their money was not refunded."""
        return self.kept - self.refunded

    @property
    def given_back(self) -> int:
        """Pieces that were cancelled, returned or refunded."""
        return self.quantity - self.left

    def share(self, pieces: int) -> int:
        """So many pieces' part of the line's total, rounded half up."""
        return (2 * self.total_minor * pieces + self.quantity) // (2 * self.quantity)

    @property
    def ships(self) -> bool:
        """Whether something of it is still to be shipped, or was and did not come back."""
        return self.kind == GOODS and self.kept > 0


def spread(lines: Iterable[Line], wanted: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Count {sku, quantity} on the lines of each SKU, the last line first, as {position, sku, quantity}.

    Raises MoreThanOrdered if a SKU has not so many left. SKUs named twice add up.
    """
    by_sku: dict[str, list[Line]] = defaultdict(list)
    for line in sorted(lines, key=lambda line: -line.position):
        by_sku[line.sku].append(line)
    taken: list[dict[str, Any]] = []
    for sku, quantity in _added_up(wanted).items():
        taken += _take(sku, quantity, by_sku[sku])
    return tuple(taken)


def _added_up(wanted: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for item in wanted:
        if item["quantity"] < 1:
            raise MoreThanOrdered("orders.quantity_invalid", f"{item['quantity']} of {item['sku']}")
        sums[item["sku"]] += item["quantity"]
    return sums


def _take(sku: str, quantity: int, lines: Sequence[Line]) -> list[dict[str, Any]]:
    taken = []
    for line in lines:
        if pieces := min(quantity, line.left):
            taken.append({"position": line.position, "sku": sku, "quantity": pieces})
            quantity -= pieces
    if quantity:
        raise MoreThanOrdered(detail=f"{quantity} of {sku} more than are left")
    return taken
