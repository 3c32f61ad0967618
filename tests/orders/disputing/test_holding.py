"""F34: an order whose payment a bank disputes calls a person and is held; other reasons for a person stay beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from orders import commands
from orders.disputing.receivers import on_disputes
from orders.models import Order
from payments.contract import DisputeClosed, DisputeEvent, DisputeOpened, DisputeProgressed
from sagas.ids import uuid7
from sagas.log import Append, Recorded, publish, read
from tests.orders.conftest import saga_of
from tests.orders.factories import NOW, call

MakeOrder = Callable[..., Order]
DUE = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
OPEN = "bank disputes the payment: dp_1, evidence due 2026-02-01"


class Bank:
    """Tells of the disputes of one payment, in its stream."""

    def __init__(self, order: Order) -> None:
        self.order, self.stream = order, uuid7()
        self.disputes: dict[str, UUID] = {}

    def tell(self, kind: type[DisputeEvent], name: str = "dp_1", **more: Any) -> Recorded:
        """One fact, in the log and not delivered yet."""
        known: dict[str, Any] = {
            "payment_id": self.stream, "order_id": self.order.pk, "shop_id": self.order.shop_id, "currency": "EUR",
            "amount_minor": 500, "dispute_id": self.disputes.setdefault(name, uuid7()), "provider_dispute": name,
            "inquiry": False,
        }  # fmt: skip
        version = len(read(self.stream)) + 1
        publish([Append(self.stream, version, kind(**known | more))], now=NOW)
        return read(self.stream)[-1]

    def opens(self, name: str = "dp_1", **more: Any) -> Recorded:
        return self.tell(
            DisputeOpened, name, **{"reason": "fraud", "evidence_due_by": DUE, "opened_at": NOW, **more}
        )

    def reviews(self, name: str = "dp_1") -> Recorded:
        return self.tell(DisputeProgressed, name, state="under_review", evidence_due_by=DUE)

    def decides(self, outcome: str, name: str = "dp_1") -> Recorded:
        return self.tell(DisputeClosed, name, outcome=outcome)


def deliver(*events: Recorded) -> None:
    on_disputes(events=events, now=NOW)


def stands(order: Order) -> tuple[bool, str]:
    """Whether it is on hold, and for what it calls a person."""
    order.refresh_from_db()
    return order.on_hold, order.attention_reason


def test_it_is_held_with_the_date_until_the_dispute_is_won(confirmed: MakeOrder) -> None:
    order = confirmed()
    bank = Bank(order)
    deliver(bank.opens())
    held = stands(order)

    deliver(bank.decides("won"))

    assert (held, stands(order)) == ((True, OPEN), (False, ""))


def test_a_lost_dispute_keeps_the_hold_for_a_person(confirmed: MakeOrder) -> None:
    order = confirmed()
    bank = Bank(order)
    deliver(bank.opens())

    deliver(bank.decides("lost"))

    assert stands(order) == (True, "bank has taken the payment back: dp_1")


def test_an_inquiry_says_that_it_is_only_one(confirmed: MakeOrder) -> None:
    order = confirmed()

    deliver(Bank(order).opens(inquiry=True))

    assert stands(order) == (True, "bank asks about the payment: dp_1, evidence due 2026-02-01")


@pytest.mark.parametrize("ends", ["won", "lost"])
def test_what_is_delivered_out_of_order_ends_alike(confirmed: MakeOrder, ends: str) -> None:
    order = confirmed()
    bank = Bank(order)
    opened, closed = bank.opens(), bank.decides(ends)

    deliver(closed)
    deliver(opened)

    assert stands(order) == (
        (False, "") if ends == "won" else (True, "bank has taken the payment back: dp_1")
    )


def test_what_was_wrong_before_is_still_wrong_when_the_dispute_is_won(confirmed: MakeOrder) -> None:
    order = confirmed()
    commands.flag_orders({order.pk: "stock short: MUG"}, on_hold=True, now=NOW)
    bank = Bank(order)
    deliver(bank.opens())
    both = stands(order)

    deliver(bank.decides("won"))

    assert both == (True, f"{OPEN}; stock short: MUG")
    assert stands(order) == (True, "stock short: MUG")


def test_two_disputes_hold_it_until_both_are_won(confirmed: MakeOrder) -> None:
    order = confirmed()
    bank = Bank(order)
    deliver(bank.opens(), bank.opens("dp_10"))
    deliver(bank.decides("won"))
    between = stands(order)

    deliver(bank.decides("won", "dp_10"))

    assert between == (True, "bank disputes the payment: dp_10, evidence due 2026-02-01")
    assert stands(order) == (False, "")


def test_a_review_calls_nobody_back_who_has_looked(confirmed: MakeOrder) -> None:
    order = confirmed()
    bank = Bank(order)
    deliver(bank.opens())
    commands.clear_attention(order.pk, actor="ada", reason="ship it", now=NOW)

    deliver(bank.reviews())

    assert stands(order) == (False, "")


def test_under_review_no_date_is_shown_any_more(confirmed: MakeOrder) -> None:
    order = confirmed()
    bank = Bank(order)
    deliver(bank.opens())

    deliver(bank.reviews())

    assert stands(order) == (True, "bank disputes the payment: dp_1")


def test_the_confirmation_does_not_let_it_go(pending: MakeOrder) -> None:
    order = pending()
    deliver(Bank(order).opens())

    commands.confirm_orders([call(order.pk, saga_id=saga_of(order))], now=NOW)

    order.refresh_from_db()
    assert (order.state, *stands(order)) == ("confirmed", True, OPEN)


def test_other_holds_are_let_go_by_the_confirmation_as_before(pending: MakeOrder) -> None:
    order = pending()
    commands.flag_orders({order.pk: "capture: gave up"}, on_hold=True, now=NOW)

    commands.confirm_orders([call(order.pk, saga_id=saga_of(order))], now=NOW)

    assert stands(order) == (False, "")


def test_an_order_nobody_knows_is_left_out(confirmed: MakeOrder) -> None:
    order = confirmed()
    bank = Bank(order)

    deliver(bank.opens(order_id=uuid7()))

    assert stands(order) == (False, "")
