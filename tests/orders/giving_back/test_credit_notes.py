"""A credit note waits for its order, then gives back what it says, as far as the order's money goes."""

from __future__ import annotations

from orders import commands
from orders.contract import CANCEL_FULFILMENT, RETURN_GOODS
from orders.models import CreditNote, Order
from orders.references import saga_reference
from orders.totals import ChargeInput
from sagas.clock import database_now
from sagas.models import SagaStep, StoredEvent
from shipping.models import Shipment
from tests.orders.giving_back.house import House, only_saga

POSTAGE = ChargeInput(kind="shipping", amount_minor=300)


def called(note: CreditNote, tried: int = 1) -> str:
    """How the saga of a note of A-1 is called, at the provider too."""
    return saga_reference(f"note, try {tried}", "A-1", note.reference)


def test_a_note_waits_until_its_order_is_confirmed(house: House) -> None:
    house.stock(PEN=5)
    order = house.order(PEN=2)

    note = house.note(order, "cancellation", 500, PEN=1)

    assert house.ended(note) == ("waiting", 0, 0)
    house.settle()
    assert house.ended(note) == ("applied", 500, 0)


def test_part_of_an_order_is_cancelled_before_the_hand_over(house: House) -> None:
    order = house.fulfilled(PEN=5)

    note = house.note(order, "cancellation", 1_000, PEN=2)
    house.settle()

    assert house.ended(note) == ("applied", 1_000, 0)
    assert (house.state(order), house.refunded(order)) == ("confirmed", 1_000)
    assert house.on_shelf("PEN") == (5, 3)
    assert only_saga(order.pk, CANCEL_FULFILMENT).state == "completed"
    assert order.lines.get().cancelled_quantity == 2
    house.hand_over()
    assert house.on_shelf("PEN") == (2, 0)


def test_the_last_piece_cancelled_cancels_the_order_and_gives_everything_back(house: House) -> None:
    order = house.fulfilled(PEN=2, charges=[POSTAGE])

    note = house.note(order, "cancellation", 1_000, PEN=2)
    house.settle()

    assert house.ended(note) == ("applied", 1_300, 0)
    assert (house.state(order), house.refunded(order)) == ("cancelled", 1_300)
    assert house.on_shelf("PEN") == (2, 0)
    assert Shipment.objects.get(order_id=order.pk).state == "voided"


def test_a_return_waits_for_the_hand_over_and_comes_back_to_the_shelf(house: House) -> None:
    order = house.fulfilled(PEN=5)

    note = house.note(order, "return", 1_000, PEN=2)
    house.settle()
    assert house.ended(note) == ("waiting", 0, 0)

    house.hand_over()

    assert house.ended(note) == ("applied", 1_000, 0)
    assert (house.state(order), house.refunded(order)) == ("processing", 1_000)
    assert house.on_shelf("PEN") == (2, 0)
    assert order.lines.get().returned_quantity == 2
    assert house.sagas(RETURN_GOODS) == [(called(note), "completed")]


def test_goods_come_back_from_a_completed_order(house: House) -> None:
    order = house.fulfilled(PEN=5)
    house.hand_over()
    house.deliver()

    note = house.note(order, "return", 2_500, PEN=5)
    house.settle()

    assert house.ended(note) == ("applied", 2_500, 0)
    assert (house.state(order), house.refunded(order)) == ("completed", 2_500)


def test_a_cancellation_that_comes_after_the_hand_over_is_a_return(house: House) -> None:
    order = house.fulfilled(PEN=5)
    house.hand_over()

    note = house.note(order, "cancellation", 500, PEN=1)
    house.settle()

    assert house.ended(note) == ("applied", 500, 0)
    assert house.sagas(CANCEL_FULFILMENT) == []
    assert house.sagas(RETURN_GOODS) == [(called(note), "completed")]


def test_f51_a_cancellation_that_loses_against_the_carrier_becomes_a_return(house: House) -> None:
    order = house.fulfilled(PEN=2)
    house.carrier_is_faster(order)

    note = house.note(order, "cancellation", 1_000, PEN=2)
    house.settle()
    house.hand_over()

    assert house.sagas(CANCEL_FULFILMENT) == [(called(note), "compensated")]
    assert house.sagas(RETURN_GOODS) == [(called(note, 2), "completed")]
    assert house.ended(note) == ("applied", 1_000, 0)
    assert (house.state(order), house.refunded(order)) == ("processing", 1_000)
    assert house.on_shelf("PEN") == (2, 0)


def test_an_order_that_was_never_paid_has_nothing_to_refund(house: House) -> None:
    house.gateway.script("authorize", "A-1", "decline", code="lost_card")
    house.stock(PEN=5)
    order = house.order(PEN=2)

    note = house.note(order, "return", 500, PEN=1)
    house.settle()

    assert house.state(order) == "rejected"
    assert house.ended(note) == ("nothing_to_refund", 0, 0)
    assert (house.sagas(RETURN_GOODS), house.owed()) == ([], 0)
    assert house.on_shelf("PEN") == (5, 0)


def test_an_order_cancelled_before_the_capture_has_nothing_to_refund(house: House) -> None:
    house.stock(PEN=5)
    order = house.order(PEN=2)
    commands.cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())

    note = house.note(order, "cancellation", 500, PEN=1)
    house.settle()

    assert house.state(order) == "cancelled"
    assert house.ended(note) == ("nothing_to_refund", 0, 0)


def test_what_exceeds_the_captured_money_is_owed_to_the_customer(house: House) -> None:
    order = house.fulfilled(PEN=2)
    house.hand_over()

    note = house.note(order, "allowance", 1_800)
    house.settle()

    assert house.ended(note) == ("applied", 1_000, 800)
    assert (house.refunded(order), house.owed()) == (1_000, 800)
    assert house.on_shelf("PEN") == (0, 0)


def test_an_allowance_gives_money_and_moves_no_goods(house: House) -> None:
    order = house.fulfilled(PEN=2)
    house.hand_over()

    note = house.note(order, "allowance", 250)
    house.settle()

    assert house.ended(note) == ("applied", 250, 0)
    assert (house.on_shelf("PEN"), order.lines.get().returned_quantity) == ((0, 0), 0)


def test_notes_of_one_order_are_applied_one_after_the_other(house: House) -> None:
    order = house.fulfilled(PEN=4)

    first = house.note(order, "cancellation", 500, reference="C-1", PEN=1)
    second = house.note(order, "return", 1_000, reference="C-2", PEN=2)
    third = house.note(order, "allowance", 900, reference="C-3")
    house.settle()
    assert [house.ended(n)[0] for n in (first, second, third)] == ["applied", "waiting", "waiting"]

    house.hand_over()

    assert [house.ended(n) for n in (first, second, third)] == [
        ("applied", 500, 0),
        ("applied", 1_000, 0),
        ("applied", 500, 400),
    ]
    assert house.sagas(RETURN_GOODS) == [(called(second), "completed"), (called(third), "completed")]
    assert (house.refunded(order), house.owed()) == (2_000, 400)


def test_a_note_without_an_order_is_owed_and_restocked_without_a_provider(house: House) -> None:
    house.stock(PEN=1)

    note = house.note(None, "return", 1_500, PEN=3)
    house.settle()

    assert house.ended(note) == ("credited", 0, 1_500)
    assert (house.owed(), house.on_shelf("PEN")) == (1_500, (4, 0))
    assert sum(house.gateway.attempts.values()) == 0


def test_a_note_on_an_order_given_back_entirely_is_owed(house: House) -> None:
    order = house.fulfilled(PEN=2)
    house.note(order, "cancellation", 1_000, reference="C-1", PEN=2)

    late = house.note(order, "return", 300, reference="C-2", PEN=1)
    house.settle()

    assert house.state(order) == "cancelled"
    assert house.ended(late) == ("applied", 0, 300)
    assert (house.refunded(order), house.owed(), house.on_shelf("PEN")) == (1_000, 300, (2, 0))


def test_a_cancellation_of_pieces_cancelled_already_waits_as_a_return(house: House) -> None:
    order = house.fulfilled(PEN=2, CUP=1)
    house.note(order, "cancellation", 1_000, reference="C-1", PEN=2)

    twice = house.note(order, "cancellation", 1_000, reference="C-2", PEN=2)
    house.settle()

    twice.refresh_from_db()
    assert (twice.kind, twice.state) == ("return", "waiting")
    house.hand_over()
    assert house.ended(twice) == ("applied", 500, 500)
    assert house.on_shelf("PEN") == (2, 0)


def test_more_pieces_than_the_order_has_are_cut_down(house: House) -> None:
    order = house.fulfilled(PEN=2)
    house.hand_over()

    note = house.note(order, "return", 1_000, PEN=5)
    house.settle()

    assert house.ended(note) == ("applied", 1_000, 0)
    assert (order.lines.get().returned_quantity, house.on_shelf("PEN")) == (2, (2, 0))


def test_a_refund_with_unknown_outcome_is_paid_once(house: House) -> None:
    order = house.fulfilled(PEN=2)
    house.hand_over()
    note = house.note(order, "return", 500, PEN=1)
    house.gateway.script("refund", called(note), "do_then_drop")

    house.settle()

    house.later(hours=1)

    step = SagaStep.objects.get(name="payments.refund_payment")
    assert [entry[2] for entry in step.history] == ["unknown", "done"]
    assert house.ended(note) == ("applied", 500, 0)
    assert house.gateway.effects("A-1")["refunds"] == 1


def test_taking_a_note_twice_takes_it_once(house: House) -> None:
    order = house.fulfilled(PEN=2)

    house.note(order, "allowance", 100)
    house.note(order, "allowance", 100)

    assert CreditNote.objects.count() == 1
    assert StoredEvent.objects.filter(type="orders.CreditNoteImported").count() == 1


def test_every_end_of_a_note_is_told_once(house: House) -> None:
    order = house.fulfilled(PEN=2)
    house.hand_over()
    note = house.note(order, "return", 500, PEN=1)

    house.settle()
    house.settle()

    told = StoredEvent.objects.filter(stream=note.pk).order_by("version")
    assert list(told.values_list("type", flat=True)) == [
        "orders.CreditNoteImported",
        "orders.CreditNoteApplied",
    ]
    assert told[1].data["outcome"] == "applied"
    assert (told[1].data["refund_minor"], told[1].data["credit_minor"]) == (500, 0)


def test_f49_a_shop_cancels_after_the_capture_and_everything_is_given_back(house: House) -> None:
    order = house.fulfilled(PEN=2, CUP=1, charges=[POSTAGE])

    commands.cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())
    assert house.state(order) == "cancelling"
    house.settle()

    assert (house.state(order), house.refunded(order)) == ("cancelled", 1_800)
    assert (house.on_shelf("PEN"), house.on_shelf("CUP")) == ((2, 0), (1, 0))
    found = Order.objects.get(pk=order.pk)
    assert (found.cancelled_minor, found.lock_saga, found.cancel_reason) == (1_800, None, "changed my mind")


def test_a_note_that_is_called_like_a_cancellation_is_another_one(house: House) -> None:
    order = house.fulfilled(PEN=2)
    called = f"cancel-{Order.objects.get(pk=order.pk).version + 2}"
    note = house.note(order, "cancellation", 500, reference=called, PEN=1)
    house.settle()
    assert Order.objects.get(pk=order.pk).version == int(called.removeprefix("cancel-"))

    commands.cancel_order(order.pk, actor="shop", reason="changed their mind", now=database_now())
    house.settle()

    assert (house.state(order), house.ended(note)) == ("cancelled", ("applied", 500, 0))
    assert (house.refunded(order), house.on_shelf("PEN")) == (1_000, (2, 0))
    assert [state for _, state in house.sagas(CANCEL_FULFILMENT)] == ["completed", "completed"]


def test_notes_whose_names_run_together_are_refunds_of_their_own(house: House) -> None:
    one, other = house.fulfilled("A", PEN=1), house.fulfilled("A/B", PEN=1)
    house.hand_over()

    notes = [house.note(one, "return", 500, reference="B/C", PEN=1)]
    notes.append(house.note(other, "return", 500, reference="C", PEN=1))
    house.settle()

    assert [house.ended(note) for note in notes] == [("applied", 500, 0)] * 2
    assert [house.refunded(order) for order in (one, other)] == [500, 500]


def test_long_names_of_an_order_and_its_notes_hold_nothing_up(house: House) -> None:
    order = house.fulfilled("A" * 100, PEN=2)
    house.hand_over()

    notes = [house.note(order, "return", 500, reference="C" * 99 + end, PEN=1) for end in "12"]
    house.settle()

    assert [house.ended(note) for note in notes] == [("applied", 500, 0)] * 2
    assert house.refunded(order) == 1_000


def test_goods_that_cost_nothing_come_back_without_money(house: House) -> None:
    order = house.fulfilled(PEN=2)
    house.hand_over()

    matched = house.note(order, "return", 0, reference="C-1", PEN=1)
    unmatched = house.note(None, "return", 0, reference="C-2", PEN=1)
    house.settle()

    assert (house.ended(matched), house.ended(unmatched)) == (("applied", 0, 0), ("credited", 0, 0))
    assert (house.refunded(order), house.owed(), house.on_shelf("PEN")) == (0, 0, (2, 0))
