"""Opening stock: published once per file, and on the shelf before the first order asks for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders.contract import OpeningStockImported
from orders.imports.store import ACTOR, LOCATION
from sagas.bus import Subscription, subscriptions
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.log import Append, Token, publish, read
from sagas.models import Checkpoint
from sagas.sql import execute

MARK = "UPDATE orders_importfile SET stocked_at = %s WHERE id = %s AND stocked_at IS NULL"
PATIENCE_SECONDS = 60.0


class StockNotTold(Exception):
    """Somebody who has to know of the opening stock has not taken it. The import may be run again."""


def import_opening_stock(file_id: UUID, shop_id: UUID, stock: Mapping[str, int], *, now: datetime) -> bool:
    """Publish what stands on the shelf before the first order; False if there is nothing (more) to publish.

    One commit with the mark on the file, so it happens once however often an import is killed and run again.
    """
    with transaction.atomic():
        if not execute(MARK, [now, file_id]) or not stock:
            return False
        event = OpeningStockImported(
            shop_id=shop_id,
            batch=str(file_id),
            location=LOCATION,
            items=tuple({"sku": sku, "quantity": quantity} for sku, quantity in stock.items()),
        )
        publish([Append(file_id, 1, event)], now=now, actor=ACTOR, correlation_id=str(file_id))
    return True


def tell_of_opening_stock(file_id: UUID, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until every subscriber has taken the opening stock, delivering it here: no worker need be running.

    Otherwise the first orders could be refused for want of goods that are about to come. Raises StockNotTold.
    """
    told = read(file_id)
    if not told:
        return
    stop = time.monotonic() + patience_seconds
    for subscription in subscriptions():
        if OpeningStockImported.type in subscription.types:
            _deliver(subscription, told[0].token, stop)


def _deliver(subscription: Subscription, token: Token, stop: float) -> None:
    for shard in range(subscription.shards):
        while not _has_passed(subscription, shard, token):
            if time.monotonic() > stop:
                raise StockNotTold(subscription.task(shard))
            if not deliver(subscription.task(shard), now=database_now, seconds=1.0):
                time.sleep(0.05)


def _has_passed(subscription: Subscription, shard: int, token: Token) -> bool:
    at = Checkpoint.objects.filter(subscription=subscription.name, shard=shard).first()
    return at is not None and Token(at.era, at.xid, at.position) >= token
