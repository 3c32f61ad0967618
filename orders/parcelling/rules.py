"""Which pieces are free, and what share of the order's money a claim takes. No database here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from orders.aggregate import Order
from orders.lines import Line
from sagas.verdicts import Refused

#: Pieces by the position of their line.
Pieces = Mapping[int, int]


class NotInParcels(Refused):
    """The order was placed to be shipped whole."""

    code = "orders.not_in_parcels"


class PiecesTaken(Refused):
    """More pieces than are free: the others are in a parcel, cancelled, refunded or returned."""

    code = "orders.pieces_taken"


class NothingFree(Refused):
    """No piece of the order is free."""

    code = "orders.nothing_free"


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim that stands has taken: pieces by position, and its share in minor units."""

    pieces: Pieces
    share_minor: int


def free_of(lines: Iterable[Line], claims: Sequence[Claimed]) -> dict[int, int]:
    """Pieces that nobody has claimed, by position. Lines without any are left out.

    What was cancelled is in the claim that cancelled it; what came back, or whose money went back, in the one it was
    shipped with. So the lines' own counts are not subtracted once more.
    """
    taken: Counter[int] = Counter()
    for claim in claims:
        taken.update(claim.pieces)
    free = {line.position: line.quantity - taken[line.position] for line in lines}
    return {position: n for position, n in sorted(free.items()) if n > 0}


def choose(order: Order, wanted: Pieces, claims: Sequence[Claimed]) -> dict[int, int]:
    """The wanted pieces, or everything that is free if none are named. Raises PiecesTaken or NothingFree."""
    free = free_of(order.lines.values(), claims)
    if not free:
        raise NothingFree(detail=f"nothing of {order.external_reference} is free")
    for position, n in wanted.items():
        if n > free.get(position, 0):
            raise PiecesTaken(detail=f"line {position} has {free.get(position, 0)} free, not {n}")
    return dict(sorted(wanted.items())) if wanted else free


def share_of(order: Order, pieces: Pieces, claims: Sequence[Claimed]) -> int:
    """The share of a new claim, in minor units.

    Cumulative: what all claims are worth together with it, less the shares that stand. So whatever is claimed and given
    up in between, shares never exceed the order's total, and with the last piece they are the total exactly.
    """
    together = Counter(pieces)
    for claim in claims:
        together.update(claim.pieces)
    return max(0, worth(order, together) - sum(claim.share_minor for claim in claims))


def worth(order: Order, pieces: Pieces) -> int:
    """The order's total in proportion to what these pieces come to, rounded half up once. Charges go along."""
    lines = order.lines
    goods = sum(line.total_minor for line in lines.values())
    if goods:
        part = sum(
            (Fraction(lines[p].total_minor * n, lines[p].quantity) for p, n in pieces.items()), Fraction()
        )
    else:
        goods = sum(line.quantity for line in lines.values())
        part = Fraction(sum(pieces.values()))
    exact = order.total_minor * part / goods
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def lines_of(order: Order, pieces: Pieces) -> list[dict[str, Any]]:
    """A claim's lines as its events and its saga's steps have them: position, sku, kind, quantity."""
    found = [(order.lines[position], n) for position, n in pieces.items()]
    return [
        {"position": line.position, "sku": line.sku, "kind": line.kind, "quantity": n} for line, n in found
    ]
