"""Taking orders in: rows, fact and saga in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from benchmarks.side_by_side import batches
from benchmarks.side_by_side.waybill import contract
from benchmarks.side_by_side.workload import Wanted
from sagas.engine import StartSaga, start_sagas
from sagas.log import Append, publish
from sagas.sql import execute

SHOP = UUID("0190a5a0-0000-7000-8000-000000000001")


def sell(orders: Sequence[Wanted], *, now: datetime) -> None:
    """Store orders with their lines and start their sagas."""
    lines = [(o.id, n, line) for o in orders for n, line in enumerate(o.lines, start=1)]
    with transaction.atomic():
        execute(
            batches.PLACE,
            [
                [o.id for o in orders],
                [o.reference for o in orders],
                [o.total_minor for o in orders],
                [o.fails for o in orders],
            ],
        )
        execute(
            batches.PLACE_LINES,
            [[i for i, _, _ in lines], [n for _, n, _ in lines], [x.sku for _, _, x in lines],
             [x.quantity for _, _, x in lines], [x.price_minor for _, _, x in lines]],
        )  # fmt: skip
        publish([Append(o.id, 1, sold(o)) for o in orders], now=now)
        start_sagas([saga_of(o) for o in orders], now=now)


def sold(order: Wanted) -> contract.Sold:
    """The fact that an order begins with."""
    lines = tuple({"sku": x.sku, "quantity": x.quantity, "price_minor": x.price_minor} for x in order.lines)
    return contract.Sold(order_id=order.id, total_minor=order.total_minor, lines=lines)


def saga_of(order: Wanted) -> StartSaga:
    """What its saga is started with."""
    return StartSaga(
        definition=contract.SELL,
        reference=order.reference,
        shop_id=SHOP,
        subject_id=order.id,
        label=f"Order {order.reference}",
        amount_minor=order.total_minor,
        currency="EUR",
        search_key=order.reference,
    )
