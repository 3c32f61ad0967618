"""The shop's steps, each beside its undo: the domain's statements, the fact, and a verdict for each order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from benchmarks.side_by_side import batches
from benchmarks.side_by_side.waybill import contract
from benchmarks.side_by_side.waybill.contract import OrderFact
from sagas.log import Append, publish
from sagas.sql import execute, rows
from sagas.steps import StepCall, compensation, local_step
from sagas.verdicts import Answer, Done, Refused

DONE = Done()

#: The version of an order's stream that each fact gets: what happens to it happens in one order.
VERSIONS: dict[type[OrderFact], int] = {
    contract.Authorized: 2, contract.Reserved: 3, contract.Booked: 4, contract.Confirmed: 5,
    contract.Cancelled: 5, contract.Released: 6, contract.Voided: 7,
}  # fmt: skip


class Declined(Refused):
    """The last step says no."""

    code = "shop.declined"


@local_step(contract.AUTHORIZE, undo=contract.VOID)
def authorize(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Hold the money of many orders."""
    execute(batches.AUTHORIZE, [_ids(calls), [c.amount_minor for c in calls]])
    return _tell(calls, contract.Authorized, [{"amount_minor": c.amount_minor} for c in calls])


@compensation(contract.VOID)
def void(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Let the money go and end the orders."""
    execute(batches.VOID, [_ids(calls)])
    execute(batches.REJECT, [_ids(calls)])
    return _tell(calls, contract.Voided)


@local_step(contract.RESERVE, undo=contract.RELEASE, hot=True)
def reserve(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Hold the goods. Rows of stock are locked by SKU first, and changed last."""
    asked = _wanted(calls)
    free = dict(rows(batches.LOCK_STOCK, [sorted(asked)]))
    if any(free[sku] < quantity for sku, quantity in asked.items()):
        raise RuntimeError("The shelf of this workload is never empty.")
    execute(batches.RESERVE, [_ids(calls)])
    answers = _tell(calls, contract.Reserved)
    execute(batches.MOVE_STOCK, [list(asked), list(asked.values())])
    return answers


@compensation(contract.RELEASE, hot=True)
def release(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Give the goods back."""
    asked = _wanted(calls)
    rows(batches.LOCK_STOCK, [sorted(asked)])
    execute(batches.RELEASE, [_ids(calls)])
    answers = _tell(calls, contract.Released)
    execute(batches.MOVE_STOCK, [list(asked), [-quantity for quantity in asked.values()]])
    return answers


@local_step(contract.BOOK, undo=contract.CANCEL)
def book(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Ask for parcels."""
    execute(batches.BOOK, [_ids(calls)])
    return _tell(calls, contract.Booked)


@compensation(contract.CANCEL)
def cancel(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Need no parcels any more."""
    execute(batches.CANCEL, [_ids(calls)])
    return _tell(calls, contract.Cancelled)


@local_step(contract.CONFIRM)
def confirm(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """End the orders well, but for those that fail."""
    confirmed = {row[0] for row in rows(batches.CONFIRM, [_ids(calls)])}
    _tell([c for c in calls if c.subject_id in confirmed], contract.Confirmed)
    return [DONE if c.subject_id in confirmed else Declined() for c in calls]


def _ids(calls: Sequence[StepCall]) -> list[UUID]:
    return [c.subject_id for c in calls]


def _wanted(calls: Sequence[StepCall]) -> dict[str, int]:
    """How much of each SKU these orders ask for together."""
    asked: Counter[str] = Counter()
    for _, sku, quantity in rows(batches.WANTED, [_ids(calls)]):
        asked[sku] += quantity
    return dict(asked)


def _tell(
    calls: Sequence[StepCall], fact: type[OrderFact], more: Sequence[dict[str, Any]] | None = None
) -> list[Answer]:
    version = VERSIONS[fact]
    facts = [
        Append(
            c.subject_id, version, fact(order_id=c.subject_id, **(more[n] if more else {})), c.correlation_id
        )
        for n, c in enumerate(calls)
    ]
    if facts:
        publish(facts, now=calls[0].now)
    return [DONE] * len(calls)
