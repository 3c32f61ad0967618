"""Every read of returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Min, QuerySet

from orders.lines import Line
from orders.models import Order, OrderLine
from orders.returns import bounds, models, rules, store
from orders.returns.aggregate import Return
from orders.returns.states import OPEN

#: Returns on one staff page.
PAGE = 50


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many returns stand in one open state, and since when the oldest does."""

    state: str
    count: int
    since: datetime | None


def get_return(return_id: UUID) -> Return | None:
    """One return with its lines."""
    return store.by_id(return_id)


def returns_of(order_id: UUID) -> list[Return]:
    """All returns of an order, oldest first."""
    return store.of_orders([order_id]).get(order_id, [])


def list_returns(state: str, *, after: UUID | None = None) -> tuple[list[models.Return], UUID | None]:
    """One page of returns in a state, and where the next begins: open ones oldest first, ended ones newest first."""
    found = models.Return.objects.filter(state=state).select_related("order", "shop")
    found = _behind(found, after, newest_first=state not in OPEN)
    page = list(found[: PAGE + 1])
    return page[:PAGE], page[PAGE - 1].pk if len(page) > PAGE else None


def open_by_state() -> list[Waiting]:
    """The open states with their returns, in the order in which a return goes through them."""
    by_state = {
        row["state"]: (row["returns"], row["since"])
        for row in models.Return.objects.filter(state__in=OPEN)
        .values("state")
        .annotate(returns=Count("id"), since=Min("moved_at"))
    }
    return [Waiting(state.value, *by_state.get(state.value, (0, None))) for state in OPEN]


def free_of(order_id: UUID) -> dict[int, int]:
    """Pieces of each line of goods that could be asked for now, without a lock: to fill a form in, not to decide."""
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        return {}
    spoken = store.spoken_for(store.of_orders([order_id]).get(order_id, ()))
    limit = bounds.of({order_id: order})[order_id]
    lines = [_as_decided(line) for line in lines_of(order_id)]
    return rules.free_pieces(lines, spoken, limit.promised, limit.handed_over)


def lines_of(order_id: UUID) -> Sequence[OrderLine]:
    """The lines of goods of an order, as they were ordered."""
    return list(OrderLine.objects.filter(order_id=order_id, kind="goods").order_by("position"))


def _as_decided(line: OrderLine) -> Line:
    return Line(
        line.position, line.sku, line.kind, line.quantity, line.cancelled_quantity, line.returned_quantity,
        line.refunded_quantity,
    )  # fmt: skip


def _behind(
    found: QuerySet[models.Return], after: UUID | None, *, newest_first: bool
) -> QuerySet[models.Return]:
    """Ids are made in the order of time, so they are the order of the page."""
    if newest_first:
        return found.filter(pk__lt=after).order_by("-pk") if after else found.order_by("-pk")
    return found.filter(pk__gt=after).order_by("pk") if after else found.order_by("pk")
