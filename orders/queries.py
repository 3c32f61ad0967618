"""Every read of orders. Pages go by key, never by offset, and nothing here counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders import tokens
from orders.contract import FULFIL_ORDER
from orders.models import ApiToken, Order, OrderLine, Shop
from orders.states import State
from sagas import log
from sagas.models import Saga

LARGEST_PAGE = 200


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders, newest first. `before` asks for the next page; None when this was the last."""

    orders: Sequence[Order]
    before: UUID | None


@dataclass(frozen=True, slots=True)
class StoryPart:
    """One fact of an order's history, as it was committed."""

    version: int
    what: str
    at: datetime
    actor: str
    reason: str
    data: dict[str, Any]


def list_orders(
    *,
    shop_id: UUID | None = None,
    before: UUID | None = None,
    limit: int = 50,
    state: State | None = None,
    external_reference: str | None = None,
) -> OrderPage:
    """One page of orders, newest first, of one shop or of all, without lines. `limit` is cut to 1..200."""
    size = max(1, min(limit, LARGEST_PAGE))
    wanted = {"shop_id": shop_id, "id__lt": before, "state": state, "external_reference": external_reference}
    asked = {name: value for name, value in wanted.items() if value is not None}
    found = list(Order.objects.filter(**asked).order_by("-id")[: size + 1])
    page = found[:size]
    return OrderPage(page, page[-1].pk if len(found) > size else None)


def get_order(order_id: UUID, *, shop_id: UUID | None = None) -> Order | None:
    """One order, or None if there is none or it is another shop's. Its lines: `lines_of`."""
    asked = {"pk": order_id} if shop_id is None else {"pk": order_id, "shop_id": shop_id}
    return Order.objects.filter(**asked).select_related("shop").first()


def lines_of(order_id: UUID) -> list[OrderLine]:
    """The lines of one order by position."""
    return list(OrderLine.objects.filter(order_id=order_id).order_by("position"))


def story_of(order_id: UUID) -> list[StoryPart]:
    """Everything that happened to one order, oldest first. Empty if there is no such order."""
    return [
        StoryPart(
            recorded.version,
            recorded.type.removeprefix("orders."),
            recorded.at,
            recorded.metadata.get("actor", ""),
            recorded.metadata.get("reason", ""),
            recorded.event.to_data(),
        )
        for recorded in log.read(order_id)
    ]


def fulfilment_saga(order_id: UUID) -> UUID:
    """The saga that was started with the order. Raises Saga.DoesNotExist for an id that is no order."""
    return Saga.objects.values_list("pk", flat=True).get(subject_id=order_id, definition=FULFIL_ORDER)


def authenticate_token(text: str) -> Shop | None:
    """The shop a token belongs to, or None if it is unknown, altered or revoked."""
    token = tokens.parse(text)
    if token is None:
        return None
    stored = ApiToken.objects.filter(prefix=token.prefix, revoked_at=None).select_related("shop").first()
    return stored.shop if stored is not None and tokens.matches(token, stored.digest) else None


def shop_by_slug(slug: str) -> Shop | None:
    """The shop of that short name, or None."""
    return Shop.objects.filter(slug=slug).first()
