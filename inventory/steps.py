"""What inventory does for a saga, each act beside the one that gives it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from inventory import commands, contract
from inventory.commands import ReleaseReservation, ReserveStock, RestockGoods, WithdrawAllocation
from orders.contract import GOODS
from sagas.steps import StepCall, compensation, local_step
from sagas.verdicts import Answer


@local_step(
    contract.RESERVE_STOCK,
    undo=contract.RELEASE_RESERVATION,
    gives=("reservation_id", "location_id"),
    subject=True,
    hot=True,
)
def reserve_stock(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Hold everything an order asks for. `location_id` is where it all lies, None when it is split."""
    requests = [
        ReserveStock(key=c.key, order_id=c.subject_id, shop_id=c.shop_id, wanted=goods_of(c.subject))
        for c in calls
    ]
    return commands.reserve_stock(requests, now=calls[0].now)


@compensation(contract.RELEASE_RESERVATION, hot=True)
def release_reservation(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """By key: the answer may have been lost, or the step may never have run."""
    requests = [
        ReleaseReservation(
            key=c.key, order_id=c.subject_id, shop_id=c.shop_id, reason=c.cause_code or c.cause
        )
        for c in calls
    ]
    return commands.release_reservations(requests, now=calls[0].now)


@local_step(contract.WITHDRAW_ALLOCATION, needs=("order_id", "lines", "whole"), hot=True)
def withdraw_allocation(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Give back what an order will not ship after all."""
    requests = [
        WithdrawAllocation(
            key=c.key,
            order_id=as_id(c.input["order_id"]),
            whole=bool(c.input["whole"]),
            wanted=pieces(c.input["lines"]),
        )
        for c in calls
    ]
    return commands.withdraw_allocations(requests, now=calls[0].now)


@local_step(contract.RESTOCK_GOODS, needs=("order_id", "lines"), hot=True)
def restock_goods(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Put what came back on the shelf."""
    requests = [
        RestockGoods(
            key=c.key,
            shop_id=c.shop_id,
            order_id=as_id(c.input["order_id"]),
            returned=pieces(c.input["lines"]),
            reason=c.reference,
        )
        for c in calls
    ]
    return commands.restock_goods(requests, now=calls[0].now)


def goods_of(subject: Mapping[str, Any] | None) -> dict[str, int]:
    """Pieces per SKU of what has to be shipped, in the order of the lines. Lines of one SKU add up."""
    return pieces(line for line in (subject or {})["lines"] if line["kind"] == GOODS)


def pieces(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Pieces per SKU, in the order of the lines."""
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line["sku"]] += line["quantity"]
    return dict(wanted)


def as_id(value: Any) -> UUID:
    """An id as it comes out of a saga's context."""
    return UUID(str(value))
