"""A payment moves by its table and by nothing else, and the database keeps the amounts possible."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from payments.models import Payment, Refund
from sagas.verdicts import IllegalMove, LostRace
from tests.conftest import Clock
from tests.payments.factories import a_payment, a_refund

pytestmark = pytest.mark.django_db
State = Payment.State


def test_every_state_has_its_moves_and_every_move_a_state() -> None:
    for model in (Payment, Refund):
        known = set(model.State.values)
        assert set(model.MOVES) == known
        assert set().union(*model.MOVES.values()) <= known


def test_a_captured_and_an_expired_end_and_a_refund_may_only_come_back() -> None:
    assert not Payment.MOVES[State.CAPTURED]
    assert not Payment.MOVES[State.EXPIRED]
    assert Refund.MOVES[Refund.State.SUCCEEDED] == {Refund.State.FAILED}


def test_a_move_along_the_table_is_stored(clock: Clock) -> None:
    payment = a_payment()

    payment.move(State.CAPTURING, at=clock.forward(minutes=1))

    stored = Payment.objects.get()
    assert (stored.state, stored.moved_at) == (State.CAPTURING, clock.now)


def test_a_move_that_is_not_in_the_table_is_refused(clock: Clock) -> None:
    payment = a_payment(state=State.VOIDED)

    with pytest.raises(IllegalMove):
        payment.move(State.CAPTURING, at=clock.now)

    assert Payment.objects.get().state == State.VOIDED


def test_who_moves_second_has_lost_the_race(clock: Clock) -> None:
    payment = a_payment()
    Payment.objects.get().move(State.VOIDING, at=clock.now)

    with pytest.raises(LostRace):
        payment.move(State.CAPTURING, at=clock.now)

    assert Payment.objects.get().state == State.VOIDING


def test_many_move_in_one_statement_and_those_that_may_not_stay(
    clock: Clock, django_assert_num_queries: Any
) -> None:
    ready = [a_payment() for _ in range(3)]
    gone = a_payment(state=State.VOIDING)

    with django_assert_num_queries(1):
        moved = Payment.move_all([p.id for p in (*ready, gone)], State.CAPTURING, clock.now)

    assert moved == {p.id for p in ready}
    assert Payment.objects.get(pk=gone.pk).state == State.VOIDING


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"captured_minor": 1001, "state": "captured"}, "payments_payment_captured_at_most_authorized"),
        ({"authorized_minor": 1001}, "payments_payment_authorized_at_most_asked"),
        (
            {"captured_minor": 1000, "state": "captured", "refunded_minor": 1001},
            "payments_payment_refunds_at_most_captured",
        ),
        (
            {"captured_minor": 1000, "state": "captured", "refunded_minor": 600, "refunding_minor": 401},
            "payments_payment_refunds_at_most_captured",
        ),
        ({"amount_minor": -1, "authorized_minor": -1}, "payments_payment_amounts_not_negative"),
        ({"state": "unknown"}, "payments_payment_unknown_names_operation"),
        ({"unknown_of": "void"}, "payments_payment_unknown_names_operation"),
        ({"captured_minor": 10}, "payments_payment_captured_stays_captured"),
    ],
)
def test_the_database_refuses_what_must_never_be(wrong: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        a_payment(**wrong)


def test_a_saga_pays_once_and_a_providers_object_stands_for_one_payment() -> None:
    payment = a_payment()

    with pytest.raises(IntegrityError, match="payments_payment_once_per_saga"), transaction.atomic():
        a_payment(saga_id=payment.saga_id)
    with pytest.raises(IntegrityError, match="payments_payment_provider_object_once"), transaction.atomic():
        a_payment(provider_id=payment.provider_id)


def test_a_saga_refunds_once_and_never_out_of_nothing() -> None:
    refund = a_refund()

    with pytest.raises(IntegrityError, match="payments_refund_once_per_saga"), transaction.atomic():
        a_refund(saga_id=refund.saga_id)
    with pytest.raises(IntegrityError, match="payments_refund_amount_has_a_payment"), transaction.atomic():
        a_refund(payment=None, order_id=refund.order_id, shop_id=refund.shop_id)
