"""Refunds that people ask for, from the wish to the money: whole, part and per line, once each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, connection, transaction
from django.test import override_settings

from orders import history
from orders.aggregate import OrderLocked
from orders.commands import OrderNotFound, cancel_order
from orders.lines import MoreThanOrdered
from orders.models import Order, OrderLine, RefundRequest
from orders.refunding.commands import (
    OwnRefund,
    RefundDecided,
    RefundNotFound,
    approve_refund,
    ask_refund,
    decline_refund,
)
from orders.refunding.rules import RefundTooLarge, Wanted
from payments.commands.repaying import repay_refund
from payments.gateways.base import RefundStatus
from payments.models import Payment, Refund
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.log import read
from sagas.models import Saga
from sagas.operate import ReasonMissing, retry_now, skip_step
from sagas.verdicts import IllegalMove, Refused
from tests.orders.giving_back.house import House, only_saga
from tests.payments.letters import Postman, with_the_secret
from tests.payments.test_races import at_once

SAGA = "orders.refund_order"


def limits(default: int = 50_000, **by_currency: int) -> Any:
    """What one person may refund alone."""
    waybill = replace(django_settings.WAYBILL, refund_limits=by_currency, refund_limit=default)
    return override_settings(WAYBILL=waybill)


def ask(order: Order, wanted: Wanted, **changes: Any) -> RefundRequest:
    """As bob asks for it."""
    how = {"actor": "bob", "reason": "the mug had a crack", "now": database_now()}
    return ask_refund(order.pk, wanted, **{**how, **changes})


def whole(order: Order, **changes: Any) -> RefundRequest:
    return ask(order, Wanted(whole=True), **changes)


def part(order: Order, amount_minor: int, **changes: Any) -> RefundRequest:
    return ask(order, Wanted(amount_minor=amount_minor), **changes)


def approve(request: RefundRequest, actor: str = "ada") -> RefundRequest:
    return approve_refund(request.pk, actor=actor, reason="seen the picture", now=database_now())


def decline(request: RefundRequest, actor: str = "ada") -> RefundRequest:
    return decline_refund(request.pk, actor=actor, reason="no crack to be seen", now=database_now())


def stands(request: RefundRequest) -> tuple[str, int, int, int]:
    """State, refunded, credited and owed of a request now."""
    now = RefundRequest.objects.get(pk=request.pk)
    return now.state, now.refunded_minor, now.credited_minor, now.owed_minor


def facts(ident: UUID) -> list[str]:
    """The facts of a stream, in order."""
    return [recorded.type.partition(".")[2] for recorded in read(ident)]


def refunded_at_provider(house: House) -> int:
    """What the gateway says it has given back."""
    [payment] = Payment.objects.all()
    listed = house.gateway.refunds_of(payment.provider_id)
    assert isinstance(listed, tuple)
    return sum(one.amount_minor for one in listed if one.status == RefundStatus.SUCCEEDED)


def fresh(order: Order) -> Order:
    """The order as it is now, which must be what its events say."""
    now, told = Order.objects.get(pk=order.pk), history.rebuild(order.pk)
    assert told is not None
    assert {name: getattr(now, name) for name in told.snapshot()} == told.snapshot()
    lines = {
        line.position: (line.refunded_quantity, line.refunded_minor)
        for line in OrderLine.objects.filter(order=now)
    }
    assert lines == {p: (line.refunded, line.refunded_minor) for p, line in told.lines.items()}
    return now


# --- small ones ---------------------------------------------------------------------------------------------


def test_the_whole_order_is_paid_back_and_nothing_else_happens_to_it(house: House) -> None:
    order = house.fulfilled(MUG=2, TEA=1)

    request = whole(order)
    locked = Order.objects.get(pk=order.pk)
    house.settle()

    saga, now = only_saga(order.pk, SAGA), fresh(order)
    assert (locked.lock_kind, locked.lock_saga) == ("refund", saga.pk)
    assert (saga.state, stands(request)) == ("completed", ("paid", 1500, 0, 0))
    assert (now.state, now.lock_kind, now.refunded_minor) == ("confirmed", "", 1500)
    assert refunded_at_provider(house) == 1500
    assert facts(request.pk) == ["RefundAsked", "RefundEnded"]
    assert facts(order.pk)[-2:] == ["RefundOpened", "OrderRefunded"]
    assert RefundRequest.objects.get().refund_id == Refund.objects.get().pk


def test_pieces_are_paid_back_line_by_line_to_the_last_cent(house: House) -> None:
    order = house.fulfilled(MUG=3)
    OrderLine.objects.update(total_minor=1500)

    for _ in range(3):
        ask(order, Wanted(pieces={1: 1}))
        house.settle()

    assert [r.amount_minor for r in RefundRequest.objects.order_by("id")] == [500, 500, 500]
    assert (fresh(order).refunded_minor, refunded_at_provider(house)) == (1500, 1500)
    with pytest.raises(MoreThanOrdered):
        ask(order, Wanted(pieces={1: 1}))


def test_an_amount_is_paid_back_out_of_what_is_left(house: House) -> None:
    order = house.fulfilled(MUG=2)

    part(order, 300)
    house.settle()
    with pytest.raises(RefundTooLarge) as refused:
        part(order, 701)

    assert refused.value.left_minor == 700
    assert refunded_at_provider(house) == fresh(order).refunded_minor == 300


@pytest.mark.parametrize("late", [False, True])
def test_after_the_hand_over_money_goes_back_too(house: House, late: bool) -> None:
    order = house.fulfilled(MUG=1)
    house.hand_over()
    if late:
        house.deliver()

    request = whole(order)
    house.settle()

    assert stands(request) == ("paid", 500, 0, 0)
    assert fresh(order).state == ("completed" if late else "processing")


def test_an_order_that_was_never_paid_or_gives_everything_back_has_nothing_to_refund(house: House) -> None:
    draft = house.order("A-0", MUG=1)
    order = house.fulfilled("A-1", MUG=1)
    cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())

    for one in (draft, order):
        with pytest.raises(IllegalMove):
            whole(one)

    assert RefundRequest.objects.count() == 0


def test_an_order_that_another_saga_holds_is_not_refunded_meanwhile(house: House) -> None:
    order = house.fulfilled(MUG=2)
    part(order, 100)

    with pytest.raises(OrderLocked):
        part(order, 100)
    with pytest.raises(OrderLocked):
        cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())

    assert RefundRequest.objects.count() == 1


def test_another_shop_sees_no_order_to_refund(house: House) -> None:
    order = house.fulfilled(MUG=1)

    with pytest.raises(OrderNotFound):
        whole(order, shop_id=uuid7())


@pytest.mark.parametrize("change", [{"reason": " "}, {"actor": ""}])
def test_every_refund_has_a_name_and_a_reason(house: House, change: dict[str, str]) -> None:
    order = house.fulfilled(MUG=1)

    with pytest.raises(ReasonMissing):
        whole(order, **change)


def test_a_cancellation_gives_back_only_what_was_not_refunded(house: House) -> None:
    order = house.fulfilled(MUG=2)
    ask(order, Wanted(pieces={1: 1}))
    house.settle()

    cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())
    house.settle()

    now = fresh(order)
    assert (now.state, now.refunded_minor, now.cancelled_minor) == ("cancelled", 500, 500)
    assert refunded_at_provider(house) == 1000
    assert house.on_shelf("MUG") == (2, 0)


def test_a_credit_note_pays_nothing_a_second_time_not_even_as_credit(house: House) -> None:
    order = house.fulfilled(MUG=2)
    house.hand_over()
    whole(order)
    house.settle()

    note = house.note(order, "return", 500, MUG=1)
    house.settle()

    assert house.ended(note) == ("applied", 0, 0)
    assert (refunded_at_provider(house), fresh(order).returned_minor) == (1000, 0)


def test_a_credit_note_beyond_a_refund_is_paid_and_owed_as_before(house: House) -> None:
    order = house.fulfilled(MUG=2)
    house.hand_over()
    part(order, 300)
    house.settle()

    note = house.note(order, "return", 1100, MUG=2)
    house.settle()

    assert house.ended(note) == ("applied", 700, 100)  # 11.00, of which 3.00 had gone and 7.00 were left
    assert refunded_at_provider(house) == 1000


def test_a_refund_covers_its_money_once_however_many_credit_notes_follow(house: House) -> None:
    order = house.fulfilled(MUG=2)
    house.hand_over()
    part(order, 300)
    house.settle()

    notes = []
    for reference, amount_minor in (("C-1", 700), ("C-2", 200), ("C-3", 300)):
        notes.append(house.note(order, "allowance", amount_minor, reference=reference))
        house.settle()

    assert [house.ended(note)[1:] for note in notes] == [(700, 0), (0, 0), (0, 200)]
    assert (refunded_at_provider(house), house.owed()) == (1000, 200)


def test_a_credit_note_that_is_called_like_a_refund_is_another_refund(house: House) -> None:
    order = house.fulfilled(MUG=2)
    house.hand_over()
    called = f"refund-{Order.objects.get(pk=order.pk).version}"

    request = part(order, 300)
    house.settle()
    note = house.note(order, "return", 300, reference=called)
    house.settle()

    assert (stands(request), house.ended(note)) == (("paid", 300, 0, 0), ("applied", 300, 0))
    assert refunded_at_provider(house) == 600


def test_a_part_that_is_cancelled_leaves_a_refunded_piece_to_be_shipped(house: House) -> None:
    order = house.fulfilled(MUG=2)
    ask(order, Wanted(pieces={1: 1}))
    house.settle()

    house.note(order, "cancellation", 500, MUG=1)
    house.settle()

    now = fresh(order)
    assert (now.state, now.cancelled_minor) == ("confirmed", 500)
    assert refunded_at_provider(house) == 1000


# --- large ones ---------------------------------------------------------------------------------------------


def test_above_the_limit_a_second_person_decides_and_nothing_moves_before(house: House) -> None:
    order = house.fulfilled(MUG=2)

    with limits(GBP=999):
        request = whole(order)
        house.settle()
        before = stands(request), fresh(order).lock_kind, Saga.objects.filter(definition=SAGA).count()
        approve(request)
    house.settle()

    assert before == (("awaiting_approval", 0, 0, 0), "", 0)
    assert stands(request) == ("paid", 1000, 0, 0)
    assert facts(request.pk) == ["RefundAsked", "RefundApproved", "RefundEnded"]
    approved = read(request.pk)[1]
    assert (approved.metadata["actor"], approved.metadata["reason"]) == ("ada", "seen the picture")


def test_at_the_limit_one_person_is_enough_and_other_currencies_have_their_own(house: House) -> None:
    order = house.fulfilled(MUG=2)

    with limits(0, GBP=1000, EUR=5):
        assert whole(order).state == "running"


def test_a_large_refund_in_small_parts_needs_a_second_person_as_well(house: House) -> None:
    order = house.fulfilled(MUG=2)

    with limits(600):
        states = []
        for amount_minor in (300, 300, 1):
            states.append(part(order, amount_minor).state)
            house.settle()
        approve(RefundRequest.objects.get(state="awaiting_approval"))
        house.settle()
        after = part(order, 1).state

    assert states == ["running", "running", "awaiting_approval"]
    assert after == "awaiting_approval"
    assert refunded_at_provider(house) == 601


def test_who_has_asked_cannot_approve(house: House) -> None:
    order = house.fulfilled(MUG=2)
    with limits(0):
        request = whole(order, actor="bob")

    with pytest.raises(OwnRefund):
        approve(request, "bob")

    assert stands(request)[0] == "awaiting_approval"
    with pytest.raises(IntegrityError, match="approved_by_another_person"), transaction.atomic():
        RefundRequest.objects.update(
            state="running",
            saga_id=uuid7(),
            decided_by="bob",
            decided_at=database_now(),
            decision_reason="me",
        )


def test_what_was_declined_moves_nothing_and_is_free_for_another(house: House) -> None:
    order = house.fulfilled(MUG=2)
    with limits(0):
        request = whole(order)
        with pytest.raises(RefundTooLarge):
            part(order, 1)
        decline(request)
        again = part(order, 1000)

    assert stands(request) == ("declined", 0, 0, 0)
    assert stands(again)[0] == "awaiting_approval"
    assert facts(request.pk) == ["RefundAsked", "RefundDeclined"]
    told = read(request.pk)[1].event.to_data()
    assert told["reason"] == "no crack to be seen"


def test_what_was_decided_is_decided(house: House) -> None:
    order = house.fulfilled(MUG=2)
    with limits(0):
        request = whole(order)
    approve(request)

    for act in (approve, decline):
        with pytest.raises(RefundDecided):
            act(request)
    with pytest.raises(RefundNotFound):
        approve(RefundRequest(pk=uuid7()))

    house.settle()
    assert refunded_at_provider(house) == 1000


def test_an_approval_looks_again_at_what_is_left_by_then(house: House) -> None:
    order = house.fulfilled(MUG=2)
    with limits(0):
        request = ask(order, Wanted(pieces={1: 2}))
    house.note(order, "cancellation", 500, MUG=1)
    house.settle()

    with pytest.raises(RefundTooLarge) as refused:
        approve(request)

    assert refused.value.left_minor == 500
    assert stands(request)[0] == "awaiting_approval"
    assert fresh(order).lock_kind == ""


def test_an_order_that_is_held_is_approved_later(house: House) -> None:
    order = house.fulfilled(MUG=2)
    with limits(200):
        request = part(order, 300)
        part(order, 100)
        with pytest.raises(OrderLocked):
            approve(request)
        house.settle()
        approve(request)
    house.settle()

    assert stands(request) == ("paid", 300, 0, 0)
    assert refunded_at_provider(house) == 400


# --- what goes wrong ----------------------------------------------------------------------------------------


def coming(order: Order, request_id: UUID) -> str:
    """How the order's next refund is called at the provider."""
    version = Order.objects.get(pk=order.pk).version
    return f"{order.external_reference}/refund-{version}-{request_id.hex[-8:]}"


def fails(house: House, order: Order, times: int | None = None) -> RefundRequest:
    """A refund of the whole order that the provider cannot pay."""
    ident = uuid7()
    house.gateway.script("refund", coming(order, ident), "decline", times=times, code="account_closed")
    request = whole(order, request_id=ident)
    house.settle()
    return request


def test_f31_what_the_provider_cannot_pay_is_owed_and_calls_a_person(house: House) -> None:
    order = house.fulfilled(MUG=2)

    request = fails(house, order)

    saga, now = only_saga(order.pk, SAGA), fresh(order)
    assert stands(request) == ("owed", 0, 0, 1000)
    assert (saga.hold, saga.hold_reason) == ("parked", "payments.refund_payment: payments.refund_failed")
    assert (now.needs_attention, now.lock_kind, Refund.objects.get().state) == (True, "refund", "failed")


def test_f31_what_is_credit_besides_is_not_owed_a_second_time(house: House) -> None:
    order = house.fulfilled(MUG=2)
    Payment.objects.update(reversed_minor=300)

    request = fails(house, order)

    assert stands(request) == ("owed", 0, 0, 700)
    assert house.owed() == 300


def test_f31_a_person_may_try_again(house: House) -> None:
    order = house.fulfilled(MUG=2)
    request = fails(house, order, times=1)

    retry_now([only_saga(order.pk, SAGA).pk], actor="ada", reason="new card", now=database_now())
    house.settle()

    assert stands(request) == ("paid", 1000, 0, 0)
    assert (fresh(order).needs_attention, refunded_at_provider(house)) == (False, 1000)


def test_f31_or_record_that_it_was_paid_another_way_and_the_saga_ends(house: House) -> None:
    order = house.fulfilled(MUG=2)
    request = fails(house, order)

    repay_refund(
        Refund.objects.get().pk, reference="BT-1", actor="ada", reason="by transfer", now=database_now()
    )
    house.settle()

    saga, now = only_saga(order.pk, SAGA), fresh(order)
    assert (saga.state, saga.hold) == ("completed", "none")
    assert stands(request) == ("paid", 1000, 0, 0)
    assert RefundRequest.objects.get().repaid_at is not None
    assert (now.refunded_minor, now.lock_kind, now.needs_attention) == (1000, "", False)
    assert refunded_at_provider(house) == 0
    assert (Refund.objects.get().state, Payment.objects.get().repaid_minor) == ("repaid", 1000)


@pytest.fixture
def postman(house: House, settings: Any) -> Postman:
    """Who brings what the gateway tells."""
    with_the_secret(settings)
    return Postman(house.gateway)


def test_f31_what_comes_back_days_later_is_owed_again_and_can_be_paid_another_way(
    house: House, postman: Postman
) -> None:
    order = house.fulfilled(MUG=2)
    request = whole(order)
    house.settle()
    gone = Refund.objects.get().provider_id
    house.later(hours=5 * 24)
    house.gateway.happen(gone, status=RefundStatus.FAILED, failure_code="account_closed")
    postman.tell_of_refund(gone)
    postman.read()
    house.settle()
    back = stands(request), fresh(order).needs_attention

    repay_refund(
        Refund.objects.get().pk, reference="BT-1", actor="ada", reason="by transfer", now=database_now()
    )
    house.settle()

    assert back == (("owed", 0, 0, 1000), True)
    assert stands(request) == ("paid", 1000, 0, 0)
    assert fresh(order).refunded_minor == 1000  # counted once, and never promised again


def test_f32_a_refund_whose_answer_was_lost_is_one_refund(house: House) -> None:
    order, ident = house.fulfilled(MUG=2), uuid7()
    house.gateway.script("refund", coming(order, ident), "do_then_drop", times=1)

    request = whole(order, request_id=ident)
    house.settle()
    house.later(hours=1)

    assert stands(request) == ("paid", 1000, 0, 0)
    assert refunded_at_provider(house) == 1000
    assert house.gateway.effects("A-1")["refunds"] == 1


def test_a_step_that_is_skipped_without_a_word_leaves_the_money_owed(house: House) -> None:
    order = house.fulfilled(MUG=2)
    request = fails(house, order)

    skip_step(
        only_saga(order.pk, SAGA).pk, "payments.refund_payment", {}, actor="ada", reason="later",
        now=database_now(),
    )  # fmt: skip
    house.settle()
    skipped = stands(request), fresh(order).refunded_minor
    repay_refund(
        Refund.objects.get().pk, reference="BT-1", actor="ada", reason="by transfer", now=database_now()
    )
    house.settle()

    assert skipped == (("owed", 0, 0, 1000), 1000)
    assert stands(request) == ("paid", 1000, 0, 0)


# --- two at once --------------------------------------------------------------------------------------------


def told(act: Any) -> Any:
    """What an act in a thread came to, in a word."""

    def run() -> str:
        try:
            act()
        except Refused as refused:
            return refused.code
        finally:
            connection.close()
        return "taken"

    return run


@pytest.mark.parametrize("_", range(5))
def test_f33_of_two_full_refunds_at_once_one_is_taken(house: House, _: int) -> None:
    order = house.fulfilled(MUG=2)

    words = at_once(*[told(lambda who=who: whole(order, actor=who)) for who in ("bob", "shop:first")])
    house.settle()

    assert sorted(words) == ["orders.order_locked", "taken"]
    assert refunded_at_provider(house) == 1000 == Payment.objects.get().captured_minor
    assert fresh(order).refunded_minor == 1000


@pytest.mark.parametrize("_", range(5))
def test_f33_two_large_ones_at_once_are_promised_once(house: House, _: int) -> None:
    order = house.fulfilled(MUG=2)

    with limits(0):
        words = at_once(*[told(lambda who=who: whole(order, actor=who)) for who in ("bob", "eve")])

    assert sorted(words) == ["orders.nothing_to_refund", "taken"]
    assert RefundRequest.objects.get().amount_minor == 1000


@pytest.mark.parametrize("_", range(5))
def test_f33_two_people_who_approve_at_once_pay_once(house: House, _: int) -> None:
    order = house.fulfilled(MUG=2)
    with limits(0):
        request = whole(order)

    words = at_once(*[told(lambda who=who: approve(request, who)) for who in ("ada", "eve")])
    house.settle()

    assert sorted(words) == ["orders.refund_decided", "taken"]
    assert refunded_at_provider(house) == 1000


@pytest.mark.parametrize("_", range(5))
def test_a_refund_and_a_cancellation_at_once_give_the_money_back_once(house: House, _: int) -> None:
    order = house.fulfilled(MUG=2)

    def cancel() -> None:
        cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())

    words = at_once(told(lambda: whole(order)), told(cancel))
    house.settle()
    house.later(hours=1)

    assert words.count("taken") == 1
    assert set(words) - {"taken"} <= {"orders.order_locked", "illegal_move"}
    assert refunded_at_provider(house) == 1000


def test_asked_at_is_when_it_was_asked(house: House) -> None:
    order = house.fulfilled(MUG=1)
    now = database_now() + timedelta(minutes=3)

    request = whole(order, now=now)

    assert RefundRequest.objects.get(pk=request.pk).asked_at == now
