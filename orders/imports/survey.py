"""One pass over a file before it is imported: what stock it needs, what its goods are called."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from orders.imports.records import AdjustmentDraft, CreditDraft, OrderDraft, Record

GOODS = "goods"
FEW_ORDERS = 3  #: A scarce SKU is in at most so many orders, so that the share can be met closely.
REFUSED_SHARE = Fraction(2, 100)


@dataclass(slots=True)
class Survey:
    """What a file sells, writes off and gives back, per SKU. Memory grows with the SKUs, not the rows."""

    orders: int = 0
    sold: Counter[str] = field(default_factory=Counter)
    written_off: Counter[str] = field(default_factory=Counter)
    moved_otherwise: set[str] = field(default_factory=set)
    _names: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _orders_with: dict[str, list[str] | None] = field(default_factory=dict)

    def add(self, record: Record, *, needs_stock: bool = True) -> None:
        """Take one record into account. One that was imported before needs no stock any more."""
        if isinstance(record.fact, OrderDraft):
            self._note_names(record.fact)
        if not needs_stock:
            return
        match record.fact:
            case OrderDraft() as order:
                self._add_order(order)
            case AdjustmentDraft() as adjustment:
                self._add_adjustment(adjustment)
            case tuple() as credits_:
                self._add_credits(credits_)

    def names(self) -> dict[str, str]:
        """Each SKU's most frequent name among its priced lines; of equals the first in the alphabet."""
        return {
            sku: min(counted, key=lambda name: (-counted[name], name)) for sku, counted in self._names.items()
        }

    def opening_stock(self, without: Collection[str] = ()) -> dict[str, int]:
        """Stock with which every order can be served whatever comes first: all that is sold or written off.

        Goods that come back are not counted on. SKUs in `without` start with nothing.
        """
        needed = self.sold + self.written_off
        return {sku: needed[sku] for sku in sorted(needed) if sku not in without}

    def scarce_skus(self, seed: str, share: Fraction = REFUSED_SHARE) -> tuple[str, ...]:
        """Choose SKUs to start with nothing, so that about `share` of the orders are refused.

        Only SKUs that nothing but a few orders ever move are chosen: so the same orders are refused whatever
        is done first. Equal seeds choose equally.
        """
        wanted = share * self.orders
        refused: set[str] = set()
        chosen: list[str] = []
        for sku in sorted(self._candidates(), key=lambda sku: _drawn(seed, sku)):
            if len(refused) >= wanted:
                break
            chosen.append(sku)
            refused.update(self._orders_with[sku] or ())
        return tuple(sorted(chosen))

    def orders_with(self, skus: Iterable[str]) -> set[str]:
        """The orders that hold any of these SKUs. Only SKUs in at most FEW_ORDERS orders are known."""
        return {reference for sku in skus for reference in self._orders_with.get(sku) or ()}

    def _candidates(self) -> list[str]:
        return [sku for sku, known in self._orders_with.items() if known and sku not in self.moved_otherwise]

    def _add_order(self, order: OrderDraft) -> None:
        self.orders += 1
        goods = [line for line in order.lines if line.kind == GOODS]
        for line in goods:
            self.sold[line.sku] += line.quantity
        for sku in {line.sku for line in goods}:
            self._note_order(sku, order.reference)

    def _note_names(self, order: OrderDraft) -> None:
        for line in order.lines:
            if line.kind == GOODS and line.name and line.unit_price_minor:
                self._names[line.sku][line.name] += 1

    def _note_order(self, sku: str, reference: str) -> None:
        known = self._orders_with.setdefault(sku, [])
        if known is None:
            return
        known.append(reference)
        if len(known) > FEW_ORDERS:
            self._orders_with[sku] = None

    def _add_adjustment(self, adjustment: AdjustmentDraft) -> None:
        for item in adjustment.items:
            self.moved_otherwise.add(item.sku)
            if item.quantity < 0:
                self.written_off[item.sku] -= item.quantity

    def _add_credits(self, parts: Iterable[CreditDraft]) -> None:
        self.moved_otherwise.update(line.sku for part in parts for line in part.lines)


def _drawn(seed: str, sku: str) -> bytes:
    return hashlib.sha256(f"{seed}:{sku}".encode()).digest()


def named(order: OrderDraft, names: Mapping[str, str]) -> list[str]:
    """The name of each line: its own, else the usual one of its SKU, else the SKU."""
    return [line.name or names.get(line.sku, line.sku) for line in order.lines]
