"""Cancelling at every moment: nothing is kept, nothing is sent, and the answer comes at once."""

from __future__ import annotations

import pytest

from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from orders.models import Return
from sagas.ids import uuid7
from sagas.models import Saga
from sagas.sql import rows
from shipping.carriers import get_carrier
from shipping.carriers.base import MoveParcels
from shipping.models import Shipment
from tests.scenarios.fulfilment import CANCELLED, REFUNDED, Ends, Fulfilment

STEPS = [
    "orders.place_order", "payments.authorize_payment", "inventory.reserve_stock", "shipping.book_shipment",
    "payments.capture_payment", "orders.confirm_order",
]  # fmt: skip
#: How an order ends that is cancelled while this step is due.
ENDS = {
    "orders.place_order": Ends("cancelled", None, None, None),
    "payments.authorize_payment": Ends("cancelled", None, None, None),
    "inventory.reserve_stock": Ends("cancelled", "voided", None, None),
    "shipping.book_shipment": Ends("cancelled", "voided", "released", None),
    "payments.capture_payment": CANCELLED,
    "orders.confirm_order": REFUNDED,
}
#: In a choreography an order is accepted in the commit that places it: there is no step to hold back.
ENDS_BY_STYLE = {ORCHESTRATION: ENDS, CHOREOGRAPHY: ENDS | {"orders.place_order": REFUNDED}}
CANCELLATION = "orders.cancel_fulfilment"


@pytest.mark.parametrize("step", STEPS)
def test_f49_a_cancel_before_any_step_gives_back_what_was_done_until_then(
    fulfilment: Fulfilment, step: str
) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order("A-1")
    fulfilment.settle(without=[step])

    fulfilment.cancel()
    assert fulfilment.row().state in ("cancelling", "cancelled")
    fulfilment.settle()

    effects = fulfilment.effects()
    assert fulfilment.ends() == ENDS_BY_STYLE[fulfilment.style][step]
    assert effects.get("holds", 0) == effects.get("voids", 0) + effects.get("refunds", 0)
    assert effects.get("labels", 0) == effects.get("cancellations", 0)
    assert fulfilment.stock() == (10, 0, 0)


def test_f49_a_cancel_after_the_capture_is_a_saga_of_its_own(fulfilment: Fulfilment) -> None:
    fulfilment.run()

    fulfilment.cancel()
    fulfilment.settle()

    assert fulfilment.saga().state == "completed"
    assert fulfilment.story(definition=CANCELLATION) == [
        "begin_cancellation", "withdraw_shipment", "withdraw_allocation", "refund_payment", "close_cancellation",
    ]  # fmt: skip
    assert fulfilment.ends() == REFUNDED
    assert fulfilment.stock() == (10, 0, 0)


def test_f49_cancelling_again_and_again_is_cancelling_once(fulfilment: Fulfilment) -> None:
    fulfilment.run()

    for _ in range(3):
        fulfilment.cancel()
    fulfilment.settle()
    fulfilment.cancel()
    fulfilment.settle()

    assert fulfilment.ends() == REFUNDED
    assert fulfilment.effects() == {"holds": 1, "captures": 1, "refunds": 1, "labels": 1, "cancellations": 1}


def test_f50_after_the_hand_over_a_cancel_gives_nothing_back_by_itself_and_a_credit_note_still_does(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.run()
    fulfilment.hand_over()

    fulfilment.cancel()
    fulfilment.settle()
    assert Return.objects.get().state == "requested"
    assert not Saga.objects.filter(definition=CANCELLATION).exists()
    assert fulfilment.ends() == Ends("processing", "captured", "consumed", "handed_over")
    assert fulfilment.payment().refunded_minor == 0
    fulfilment.credit(amount_minor=500, MUG=1)
    fulfilment.settle()

    assert fulfilment.ends() == Ends("processing", "captured", "consumed", "handed_over")
    assert fulfilment.payment().refunded_minor == 500
    assert fulfilment.stock() == (10, 0, 0)


def test_f51_a_carrier_that_was_faster_than_a_cancel_keeps_the_parcel(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    label = Shipment.objects.get().carrier_id
    get_carrier().pick_up(MoveParcels(key=uuid7(), shipment_ids=[label], limit=1))

    fulfilment.cancel()
    fulfilment.settle()

    assert fulfilment.ends() == Ends("processing", "captured", "consumed", "handed_over")
    assert fulfilment.saga(definition=CANCELLATION).cause_code == "shipping.already_handed_over"
    assert fulfilment.payment().refunded_minor == 0
    assert fulfilment.effects() == {"holds": 1, "captures": 1, "labels": 1, "pickups": 1}
    assert fulfilment.stock() == (9, 0, 0)


def test_f51_a_cancel_that_was_faster_than_the_carrier_keeps_the_parcel_in_the_house(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.run()

    fulfilment.cancel()
    fulfilment.settle()
    fulfilment.hand_over()

    assert fulfilment.ends() == REFUNDED
    assert "pickups" not in fulfilment.effects()


def test_f49_a_cancelled_draft_never_asks_anybody(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order("A-1")

    fulfilment.cancel()
    assert (
        fulfilment.row().state == {ORCHESTRATION: "cancelled", CHOREOGRAPHY: "cancelling"}[fulfilment.style]
    )
    fulfilment.settle()

    assert fulfilment.ends() == Ends("cancelled", None, None, None)
    assert fulfilment.effects() == {}
    assert rows("SELECT count(*) FROM payments_payment WHERE provider_id <> ''") == [(0,)]
