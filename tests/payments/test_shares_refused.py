"""Shares that are not taken: refused, put off, or behind a hold that has ended or is captured only once."""

from __future__ import annotations

from typing import Any

from payments.gateways.base import IntentStatus, VoidIntent
from payments.models import Capture, Payment
from sagas.ids import uuid7
from sagas.verdicts import Done, Refused, Unavailable
from tests.payments.shares import amounts, nonzero, with_one_capture
from tests.payments.till import Till

State = Payment.State
Share = Capture.State


def test_f24_a_share_that_is_refused_leaves_the_hold_and_the_other_shares_as_they_are(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    till.gateway.script("capture", "A-1", "decline", code="processing_error", times=1)

    refused = [till.share("A-1/p2", 400), till.share("A-1/p2", 400)]
    other = till.share("A-1/p3", 300)

    assert refused == [Refused("payments.capture_failed", "processing_error")] * 2
    assert other == Done({"captured_minor": 300})
    assert (till.share_row("A-1/p2").state, till.share_row("A-1/p2").code) == (
        Share.FAILED,
        "processing_error",
    )
    assert amounts(till) == (State.PARTLY_CAPTURED, 600, 400)
    assert till.story("A-1") == ["PaymentAuthorized", "ShareCaptured", "ShareRefused", "ShareCaptured"]


def test_a_share_that_could_not_be_sent_is_put_off_and_tried_again(till: Till) -> None:
    till.hold("A-1")
    till.gateway.script("capture", "A-1", "rate_limit", times=1)

    first = till.share("A-1/p1", 300)
    state = till.share_row("A-1/p1").state
    second = till.share("A-1/p1", 300)

    assert (first, state) == (Unavailable("payments.provider_throttled"), Share.PUT_OFF)
    assert second == Done({"captured_minor": 300})
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


def test_f23_f52_a_hold_that_ended_by_itself_after_the_first_parcel_keeps_what_was_taken(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    ended = {"status": IntentStatus.CAPTURED, "capturable_minor": 0}
    till.gateway.happen(till.payment("A-1").provider_id, **ended)

    answer = till.share("A-1/p2", 400)

    assert answer == Refused("payments.authorization_expired")
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.story("A-1")[-2:] == ["ShareRefused", "RestReleased"]


def test_f23_a_hold_that_ended_by_itself_before_the_first_parcel_is_expired(till: Till) -> None:
    till.hold("A-1")
    till.gateway.void(VoidIntent(key=uuid7(), intent_id=till.payment("A-1").provider_id))

    answer = till.share("A-1/p1", 300)

    assert answer == Refused("payments.authorization_expired")
    assert amounts(till) == (State.EXPIRED, 0, 0)
    assert till.story("A-1")[-2:] == ["ShareRefused", "PaymentExpired"]


def test_what_was_never_authorized_has_no_shares(till: Till) -> None:
    assert till.share("A-1/p1", 300) == Refused("payments.not_authorized")
    assert Capture.objects.count() == 0


def test_a_payment_with_shares_is_not_voided_as_a_whole(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    answer = till.void("A-1")

    assert answer == Refused("payments.partly_captured")
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


# --- one capture only ---------------------------------------------------------------------------------------


def test_f26_with_a_provider_of_one_capture_the_share_is_taken_alone_and_the_hold_ends(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "single_capture")
    till.hold("A-1")

    first = till.share("A-1/p1", 300)
    second = till.share("A-1/p2", 400)

    assert first == Done({"captured_minor": 300})
    assert second == Refused("payments.authorization_used_up")
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.story("A-1") == ["PaymentAuthorized", "ShareCaptured", "RestReleased"]
    assert nonzero() == {"provider_clearing": 300, "sales": -300}


def test_without_multicapture_by_setting_the_first_capture_is_the_only_one(till: Till, settings: Any) -> None:
    till.hold("A-1")
    with_one_capture(settings)

    answer = till.share("A-1/p1", 300)

    assert answer == Done({"captured_minor": 300})
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.gateway.attempts["capture", "A-1"] == 1
