"""Large refunds: a second person decides, and everything is looked at again."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from orders.aggregate import OrderLocked
from orders.models import RefundRequest
from orders.refunding.commands import (
    OwnRefund,
    RefundDecided,
    RefundNotFound,
)
from orders.refunding.rules import RefundTooLarge, Wanted
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.log import read
from sagas.models import Saga
from tests.orders.giving_back.house import House
from tests.orders.refunding.asking import (
    SAGA,
    approve,
    ask,
    decline,
    facts,
    fresh,
    limits,
    part,
    refunded_at_provider,
    stands,
    whole,
)


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
