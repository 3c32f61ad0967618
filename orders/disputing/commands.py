"""Orders whose payment the customer's bank disputes: nothing more of them leaves before it has decided, or a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from orders import repository
from orders.aggregate import Order
from orders.commands.attention import HELD, OWNER
from orders.states import ASKED, DISPUTED, LOST, State

Stands = Literal["open", "review", "won", "lost"]
#: Between two reasons for which an order calls a person.
BESIDES = "; "


@dataclass(frozen=True, kw_only=True)
class DisputeNews:
    """How a dispute about an order's payment stands. `name` is the provider's. `review`: the bank has the evidence."""

    name: str
    stands: Stands
    inquiry: bool = False
    due: datetime | None = None

    @property
    def said(self) -> str:
        """What a person reads."""
        if self.stands == "lost":
            return f"{LOST}: {self.name}"
        date = f", evidence due {self.due:%Y-%m-%d}" if self.due and self.stands == "open" else ""
        return f"{ASKED if self.inquiry else DISPUTED}: {self.name}{date}"

    def is_about(self, reason: str) -> bool:
        """Whether a reason for which an order calls is this dispute."""
        words, _, name = reason.partition(": ")
        return words in (ASKED, DISPUTED, LOST) and name.partition(",")[0] == self.name


def note_disputes(news: Iterable[tuple[UUID, DisputeNews]], *, now: datetime) -> None:
    """Call a person to orders, by id, and hold what has not been handed over; once it is won, let go. Safe to repeat.

    A lost one keeps the hold: a person cancels the order, or lets it go with a reason. Other reasons stay beside it.
    """
    told = list(news)
    orders = repository.load({order_id for order_id, _ in told}) if told else {}
    for order_id, one in told:
        if (order := orders.get(order_id)) is not None:
            _note(order, one, now)
    repository.save(orders.values(), now=now)


def _note(order: Order, news: DisputeNews, now: datetime) -> None:
    reasons = [reason for reason in order.attention_reason.split(BESIDES) if reason]
    others = [reason for reason in reasons if not news.is_about(reason)]
    if news.stands in ("won", "review") and len(others) == len(reasons):
        return  # nobody is called for it, or a person has looked already
    if news.stands != "won":
        _call(order, [news.said, *others], held=order.on_hold or may_be_held(order), now=now)
    elif others:
        _call(order, others, held=order.on_hold, now=now)
    else:
        order.clear_attention(now=now)


def _call(order: Order, reasons: Iterable[str], *, held: bool, now: datetime) -> None:
    owner = order.hold_owner or OWNER
    order.need_attention(BESIDES.join(reasons)[:200], on_hold=held, owner=owner if held else "", now=now)


def may_be_held(order: Order) -> bool:
    """Whether something of an order may still be kept from leaving."""
    return order.state in HELD or (order.in_parcels and order.state is State.PROCESSING)
