"""Goods that customers gave back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from inventory.commands.movements import Moved, MoveStock, apply_movements, as_data
from inventory.contract import GoodsRestocked
from inventory.models import Movement
from sagas.log import Append, publish
from sagas.verdicts import Answer, Done


@dataclass(frozen=True)
class RestockGoods:
    """Pieces per SKU to put back on the shelf of the shop's default location. `key` names the act."""

    key: UUID
    shop_id: UUID
    order_id: UUID | None
    returned: Mapping[str, int]
    reason: str = ""


def restock_goods(requests: Sequence[RestockGoods], *, now: datetime) -> list[Answer]:
    """Put returned goods back. Safe to repeat: each key counts once. Publishes GoodsRestocked."""
    unique = {request.key: request for request in requests}
    _, moved = apply_movements([m for request in unique.values() for m in _moves(request)], now=now)
    by_source: dict[UUID, list[Moved]] = {}
    for item in moved:
        by_source.setdefault(item.source_id or item.key, []).append(item)
    publish([_restocked(unique[key], items) for key, items in by_source.items()], now=now)
    return [Done() for _ in requests]


def _moves(request: RestockGoods) -> list[MoveStock]:
    return [
        MoveStock(
            key=uuid5(request.key, sku),
            shop_id=request.shop_id,
            sku=sku,
            kind=Movement.Kind.RETURN,
            quantity=quantity,
            reason=request.reason,
            source_id=request.key,
        )
        for sku, quantity in request.returned.items()
    ]


def _restocked(request: RestockGoods, items: Sequence[Moved]) -> Append:
    event = GoodsRestocked(
        restock_id=request.key,
        order_id=request.order_id,
        shop_id=request.shop_id,
        location_id=items[0].location_id,
        items=[as_data(item) for item in items],
    )
    return Append(request.key, 1, event)
