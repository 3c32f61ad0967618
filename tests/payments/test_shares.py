"""F26, F52: a hold that is taken in shares, one for each parcel, and let go of at the end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payments import contract
from payments.models import Capture, JournalEntry, JournalLine, Payment
from sagas.steps import Ask
from sagas.verdicts import Done, Refused, Unavailable
from tests.payments.shares import amounts, nonzero
from tests.payments.till import Till

State = Payment.State


def test_f26_three_shares_take_the_whole_and_each_is_booked_by_itself(till: Till) -> None:
    till.hold("A-1")

    answers = [till.share(f"A-1/p{n}", share) for n, share in enumerate((333, 333, 334))]

    assert answers == [Done({"captured_minor": share}) for share in (333, 333, 334)]
    assert amounts(till) == (State.CAPTURED, 1000, 0)
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 3}
    assert till.entries("A-1") == ["authorization", "capture", "capture", "capture"]
    assert till.story("A-1") == ["PaymentAuthorized", *["ShareCaptured"] * 3, "RestReleased"]
    assert nonzero() == {"provider_clearing": 1000, "sales": -1000}


def test_f26_between_two_shares_the_rest_is_still_held_here_and_there(till: Till) -> None:
    till.hold("A-1")

    till.share("A-1/p1", 300)

    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)
    assert nonzero() == {
        "holds": 700, "holds_contra": -700, "provider_clearing": 300, "sales": -300,
    }  # fmt: skip


def test_a_shares_entry_names_the_share_it_was_booked_for(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    entry = JournalEntry.objects.get(kind="capture")

    assert entry.source_id == till.share_row("A-1/p1").id
    lines = JournalLine.objects.filter(entry_id=entry.pk).values_list("account", "amount_minor")
    assert dict(lines) == {
        "holds": -300, "holds_contra": 300, "provider_clearing": 300, "sales": -300,
    }  # fmt: skip


def test_f52_what_nobody_ships_is_let_go_and_what_was_shipped_stays_ours(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    answer = till.release("A-1/p1")

    assert answer == Done()
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.entries("A-1") == ["authorization", "capture", "release"]
    assert till.story("A-1")[-1] == "RestReleased"
    assert nonzero() == {"provider_clearing": 300, "sales": -300}


def test_a_hold_of_which_nothing_was_taken_is_voided(till: Till) -> None:
    till.hold("A-1")

    answer = till.release("A-1/p1")

    assert answer == Done()
    assert amounts(till) == (State.VOIDED, 0, 0)
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentVoided"]


def test_while_something_is_left_to_be_paid_nothing_is_let_go(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    answer = till.release("A-1/p1", nothing_left=False)

    assert answer == Done()
    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)


def test_letting_go_again_asks_nobody(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    till.release("A-1/p1")
    again = till.release("A-1/p2")

    assert again == Done()
    assert till.gateway.attempts["release", "A-1"] == 1


def test_a_share_asked_for_again_is_answered_from_its_row(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    again = till.share("A-1/p1", 300)

    assert again == Done({"captured_minor": 300})
    assert till.gateway.attempts["capture", "A-1"] == 1
    assert till.payment("A-1").captured_minor == 300


def test_a_share_of_nothing_asks_nobody_and_leaves_no_row(till: Till) -> None:
    till.hold("A-1")

    answer = till.share("A-1/p1", 0)

    assert answer == Done({"captured_minor": 0})
    assert till.gateway.attempts["capture", "A-1"] == 0
    assert Capture.objects.count() == 0


def test_an_order_that_costs_nothing_ends_without_the_provider(till: Till) -> None:
    till.hold("A-1", amount=0)

    answers = [till.share("A-1/p1", 0), till.release("A-1/p1")]

    assert answers == [Done({"captured_minor": 0}), Done()]
    assert till.payment("A-1").state == State.CAPTURED
    assert till.gateway.attempts["create", "A-1"] == 0


def test_f27_more_than_is_left_is_refused_and_the_provider_is_not_asked(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 700)

    answer = till.share("A-1/p2", 301)

    assert answer == Refused("payments.amount_too_large")
    assert till.gateway.attempts["capture", "A-1"] == 1
    assert amounts(till) == (State.PARTLY_CAPTURED, 700, 300)


def test_while_one_share_is_open_another_comes_later(till: Till) -> None:
    till.hold("A-1")
    first = till.asked(till.share_call("A-1/p1", 300))

    [second] = till.begin([till.share_call("A-1/p2", 400)])
    till.record([(first.call, till.ask(first))])

    assert second == Unavailable("payments.capture_in_flight")
    assert till.share("A-1/p2", 400) == Done({"captured_minor": 400})
    assert amounts(till) == (State.PARTLY_CAPTURED, 700, 300)


def test_a_share_that_waits_its_turn_uses_up_no_try(till: Till) -> None:
    till.hold("A-1")
    till.asked(till.share_call("A-1/p1", 300))

    [share] = till.begin([till.share_call("A-1/p2", 400)])
    [rest] = till.begin([till.release_call("A-1/p3")])

    for answer in (share, rest):
        assert isinstance(answer, Unavailable)
        assert answer.spends is False
        assert answer.not_before == till.clock.now + timedelta(minutes=15)
    assert till.share_row("A-1/p2").state == Capture.State.PUT_OFF


def test_of_two_shares_in_one_batch_one_waits_for_the_other(till: Till) -> None:
    till.hold("A-1")

    begun = till.begin([till.share_call("A-1/p1", 300), till.share_call("A-1/p2", 400)])

    assert isinstance(begun[0], Ask)
    assert begun[1] == Unavailable("payments.capture_in_flight")


def test_while_a_share_is_open_the_rest_is_not_let_go(till: Till) -> None:
    till.hold("A-1")
    till.asked(till.share_call("A-1/p1", 300))

    answer = till.release("A-1/p2")

    assert answer == Unavailable("payments.capture_in_flight")
    assert till.payment("A-1").state == State.CAPTURING


def test_once_the_rest_is_being_let_go_no_share_can_be_taken(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    till.asked(till.release_call("A-1/p1"))

    answer = till.share("A-1/p2", 400)

    assert answer == Refused("payments.authorization_used_up")
    assert amounts(till) == (State.RELEASING, 300, 700)


@pytest.mark.parametrize("step", [contract.CAPTURE_SHARE, contract.RELEASE_REST])
def test_a_refund_takes_back_only_what_shares_took(till: Till, step: str) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    if step == contract.RELEASE_REST:
        till.release("A-1/p1")

    answer = till.refund("A-1/note", refund=300)

    assert isinstance(answer, Done)
    payment = till.payment("A-1")
    assert (payment.captured_minor, payment.refunded_minor) == (300, 300)
    assert till.gateway.effects("A-1")["refunds"] == 1
