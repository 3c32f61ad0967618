"""Cancelling: never refused for being early, a saga after the capture, a return after hand-over."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from orders import commands, repository, steps
from orders.aggregate import Order as Aggregate
from orders.aggregate import OrderLocked
from orders.commands import CancelAnswer, OrderNotFound, ParcelNews
from orders.commands.cancel import AlreadyRejected
from orders.models import Order, Return
from sagas import log
from sagas.definition import SagaNote
from sagas.ids import uuid7
from sagas.models import Intent, Saga
from sagas.verdicts import Done, Refused
from tests.orders.conftest import saga_of
from tests.orders.factories import NOW, a_shop, an_order, call

MakeOrder = Callable[..., Order]


def cancel(order: Order, **values: Any) -> commands.CancelAnswer:
    return commands.cancel_order(order.pk, actor="shop", reason="changed my mind", now=NOW, **values)


def cancel_sagas() -> list[Saga]:
    return list(Saga.objects.filter(definition="orders.cancel_fulfilment"))


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.state


def late_note(order: Order) -> SagaNote:
    return SagaNote(saga_of(order), order.shop_id, order.pk, "R", "changed my mind", "shop", {})


def test_a_draft_is_cancelled_at_once_and_its_saga_is_told(draft: MakeOrder) -> None:
    order = draft()

    answer = cancel(order)

    assert (answer.state, answer.saga_id) == ("cancelled", saga_of(order))
    assert state_of(order) == "cancelled"
    assert [(i.saga_id, i.kind, i.actor, i.reason) for i in Intent.objects.all()] == [
        (saga_of(order), "cancel", "shop", "changed my mind")
    ]
    (late,) = steps.place_order([call(order.pk, saga_id=saga_of(order))])
    assert isinstance(late, Refused)
    assert late.code == "orders.cancelled_early"


def test_f49_a_pending_order_is_cancelling_until_its_saga_has_given_everything_back(
    pending: MakeOrder,
) -> None:
    order = pending()

    answer = cancel(order)

    assert (answer.state, answer.saga_id) == ("cancelling", saga_of(order))
    assert Intent.objects.get().saga_id == saga_of(order)
    assert cancel_sagas() == []
    steps.cancel_order([call(order.pk, saga_id=saga_of(order), cause="intent", cause_code="changed my mind")])
    assert (state_of(order), order.cancel_reason) == ("cancelled", "changed my mind")
    assert Aggregate.from_events(log.read(order.pk)).snapshot() == row_of(order)


def test_a_cancelled_order_whose_saga_turned_back_by_a_refusal_is_cancelled_all_the_same(
    pending: MakeOrder,
) -> None:
    order = pending()
    cancel(order)

    steps.cancel_order(
        [call(order.pk, saga_id=saga_of(order), cause="refused", cause_code="payments.declined")]
    )

    assert state_of(order) == "cancelled"


def test_f49_a_confirmed_order_is_given_back_by_a_saga_of_its_own(confirmed: MakeOrder) -> None:
    order = confirmed(external_reference="536365")

    answer = cancel(order)

    (saga,) = cancel_sagas()
    assert (answer.state, answer.saga_id) == ("cancelling", saga.pk)
    assert (saga.subject_id, saga.amount_minor) == (order.pk, 2300)
    assert saga.reference.startswith("536365/cancel-3-")
    assert saga.context == {
        "order_id": str(order.pk),
        "refund_minor": 2300,
        "credit_minor": 0,
        "lines": [],
        "whole": True,
        "note_id": "",
    }
    assert state_of(order) == "cancelling"
    assert (order.lock_saga, order.lock_kind) == (saga.pk, "cancel")
    assert Intent.objects.count() == 0


@pytest.mark.parametrize("make", ["draft", "pending", "confirmed"])
def test_asking_twice_is_asking_once(make: str, request: pytest.FixtureRequest) -> None:
    order = request.getfixturevalue(make)()
    first = cancel(order)
    events = len(log.read(order.pk))

    second = cancel(order)

    assert second.state == first.state
    assert len(log.read(order.pk)) == events
    assert (len(cancel_sagas()), Intent.objects.count()) == ((1, 0) if make == "confirmed" else (0, 1))


def test_f50_a_handed_over_order_is_not_cancelled_but_returned_once(confirmed: MakeOrder) -> None:
    order = confirmed()
    commands.note_parcels([ParcelNews(uuid7(), order.pk, handed_over=True)], now=NOW)
    version = row_of(order)["version"]

    first, again = cancel(order), cancel(order)

    back = Return.objects.get()
    assert first == again == CancelAnswer(order.pk, "processing", back.saga_id, back.pk)
    assert (back.state, back.origin) == ("requested", "cancellation")
    assert (row_of(order)["version"], row_of(order)["lock_kind"]) == (version, "")
    assert (state_of(order), cancel_sagas(), Intent.objects.count()) == ("processing", [], 0)


def test_an_order_of_which_a_part_is_being_cancelled_is_locked(confirmed: MakeOrder) -> None:
    order = confirmed()
    (loaded,) = repository.load([order.pk]).values()
    loaded.request_cancellation(uuid7(), whole=False, reason="credit note", now=NOW)
    repository.save([loaded], now=NOW)

    with pytest.raises(OrderLocked) as refused:
        cancel(order)

    assert refused.value.code == "orders.order_locked"
    assert cancel_sagas() == []


def test_a_rejected_order_has_nothing_to_cancel(pending: MakeOrder) -> None:
    order = pending()
    steps.cancel_order(
        [call(order.pk, saga_id=saga_of(order), cause="refused", cause_code="payments.declined")]
    )

    with pytest.raises(AlreadyRejected):
        cancel(order)


def test_f78_another_shops_order_is_not_found(draft: MakeOrder) -> None:
    order = draft()

    with pytest.raises(OrderNotFound):
        cancel(order, shop_id=uuid7())
    with pytest.raises(OrderNotFound):
        commands.cancel_order(uuid7(), actor="shop", reason="x", now=NOW)

    assert state_of(order) == "draft"


def test_a_cancel_that_lost_against_the_capture_begins_anew_from_confirmed(pending: MakeOrder) -> None:
    order = pending()
    cancel(order)

    assert steps.confirm_order([call(order.pk, saga_id=saga_of(order))]) == [Done()]
    assert state_of(order) == "confirmed"
    for _ in range(2):
        commands.begin_late_cancellations([late_note(order)], now=NOW)

    (saga,) = cancel_sagas()
    assert (state_of(order), order.lock_saga, order.cancel_reason) == (
        "cancelling",
        saga.pk,
        "changed my mind",
    )
    assert saga.context["refund_minor"] == 2300
    assert steps.confirm_order([call(order.pk, saga_id=saga_of(order))]) == [Done()]
    assert state_of(order) == "cancelling"


def test_f51_a_late_cancel_of_what_was_handed_over_goes_to_a_person(confirmed: MakeOrder) -> None:
    order = confirmed()
    commands.note_parcels([ParcelNews(uuid7(), order.pk, handed_over=True)], now=NOW)

    commands.begin_late_cancellations([late_note(order)], now=NOW)

    assert (state_of(order), cancel_sagas()) == ("processing", [])
    assert (order.needs_attention, order.attention_reason) == (True, "orders.cancelled_too_late")


def test_a_cancellation_that_was_lost_can_be_asked_for_again(confirmed: MakeOrder) -> None:
    order = confirmed()
    first = cancel(order)
    (loaded,) = repository.load([order.pk]).values()
    assert first.saga_id is not None
    loaded.abandon_cancellation(first.saga_id, code="shipping.not_possible", now=NOW)
    repository.save([loaded], now=NOW)

    second = cancel(order)

    assert second.saga_id != first.saga_id
    assert len(cancel_sagas()) == 2


@pytest.mark.django_db(transaction=True)
def test_f51_cancel_and_hand_over_at_the_same_moment_have_one_winner() -> None:
    shop = a_shop()
    placed = commands.place_order(an_order(shop_id=shop.pk), now=NOW)
    order = Order.objects.get(pk=placed.order_id)
    steps.place_order([call(order.pk, saga_id=saga_of(order))])
    steps.confirm_order([call(order.pk, saga_id=saga_of(order))])
    start = Barrier(2)

    def in_thread(act: Callable[[], Any]) -> Any:
        try:
            start.wait(timeout=10)
            with transaction.atomic():
                return act()
        except Refused as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        asked = pool.submit(in_thread, lambda: cancel(order))
        moved = pool.submit(
            in_thread,
            lambda: commands.note_parcels([ParcelNews(uuid7(), order.pk, handed_over=True)], now=NOW),
        )
        answer = asked.result(), moved.result()

    assert state_of(order) == "processing"
    lost = answer[0].return_id is not None
    assert Return.objects.count() == (1 if lost else 0)
    assert len(cancel_sagas()) == (0 if lost else 1)
    assert (order.lock_kind == "cancel") is not lost


def row_of(order: Order) -> dict[str, Any]:
    return Order.objects.values(*repository.COLUMNS).get(pk=order.pk)
