"""F20: shares at which no step is at work are settled by what the provider has, or by a person's word."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.commands.findings import Finding, record_findings
from payments.commands.settling import NoSuchShare, ShareAtWork, ShareNotOpen, decide_share
from payments.gateways.base import Intent, IntentStatus
from payments.loops import ask_after
from payments.models import Capture, Payment, Watch
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.operate import ReasonMissing
from sagas.verdicts import Done
from tests.payments.shares import amounts
from tests.payments.till import Till, wrong_books

State = Payment.State
Share = Capture.State
QUIET = timedelta(minutes=16)


@pytest.fixture
def now(till: Till) -> datetime:
    """What is watched is counted from the real clock."""
    till.clock.now = database_now()
    return till.clock.now


def in_doubt(till: Till, *, done: bool, share: int = 300) -> Capture:
    """A share of 10.00 whose answer was lost. No saga stands behind it here, so no step is at work on it."""
    till.hold("A-1")
    till.gateway.script("capture", "A-1", "do_then_drop" if done else "drop", times=1)
    till.share("A-1/p1", share)
    return till.share_row("A-1/p1")


def test_f20_what_was_taken_is_booked(till: Till, now: datetime) -> None:
    in_doubt(till, done=True)

    looked = ask_after(now=now + QUIET)

    assert looked == 1
    assert till.share_row("A-1/p1").state == Share.SUCCEEDED
    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)
    assert till.entries("A-1") == ["authorization", "capture"]
    assert wrong_books() == []


def test_f20_the_provider_is_asked_a_quarter_of_an_hour_after_the_doubt_however_old_the_payment(
    till: Till, now: datetime
) -> None:
    till.hold("A-1")
    payment = till.payment("A-1")
    Watch.objects.create(pk=payment.pk, kind="payment", looks=9, look_at=now + timedelta(days=1))
    till.gateway.script("capture", "A-1", "drop", times=1)

    till.share("A-1/p1", 300)

    watch = Watch.objects.get(pk=payment.pk)
    assert (watch.looks, watch.look_at) == (0, now + timedelta(minutes=15))


@pytest.mark.parametrize(("after", "ends"), [(14, Share.UNKNOWN), (15, Share.PUT_OFF)])
def test_that_nothing_was_taken_counts_only_once_no_request_can_be_on_its_way(
    till: Till, now: datetime, after: int, ends: str
) -> None:
    in_doubt(till, done=False)

    record(till, now=now + timedelta(minutes=after))

    assert till.share_row("A-1/p1").state == ends
    assert till.payment("A-1").state == (State.CAPTURING if ends == Share.UNKNOWN else State.AUTHORIZED)


def test_f23_a_hold_that_has_ended_without_the_share_ends_it(till: Till, now: datetime) -> None:
    in_doubt(till, done=False)
    till.gateway.happen(till.payment("A-1").provider_id, status=IntentStatus.VOIDED, capturable_minor=0)

    record(till, now=now)

    assert till.share_row("A-1/p1").state == Share.FAILED
    assert till.payment("A-1").state == State.EXPIRED
    assert till.story("A-1")[-3:] == ["ShareRefused", "PaymentExpired", "PaymentFlagged"]


def test_f22_what_cannot_be_is_for_a_person_and_stays_open(till: Till, now: datetime) -> None:
    in_doubt(till, done=True)
    till.gateway.happen(till.payment("A-1").provider_id, captured_minor=299, capturable_minor=701)

    record(till, now=now + QUIET)

    assert till.share_row("A-1/p1").state == Share.UNKNOWN
    assert till.payment("A-1").mismatch == "299 captured, 0 before a share of 300"
    assert till.story("A-1")[-1] == "PaymentFlagged"


def test_a_webhook_settles_no_share(till: Till, now: datetime) -> None:
    """It does not know whose saga to lock: the share's own step is woken, or the next look finds it."""
    in_doubt(till, done=True)

    words = record(till, now=now + QUIET, share_saga=None)

    assert words == ["undecided"]
    assert till.share_row("A-1/p1").state == Share.UNKNOWN


@pytest.mark.parametrize(
    ("state", "reads"), [(State.AUTHORIZED, 0), (State.CAPTURED, 0), (State.PARTLY_CAPTURED, 1)]
)
def test_shares_are_read_only_of_payments_that_may_have_an_open_one(
    till: Till, now: datetime, state: str, reads: int
) -> None:
    till.hold("A-1")
    if state != State.AUTHORIZED:
        till.share("A-1/p1", 1000 if state == State.CAPTURED else 300)
    assert till.payment("A-1").state == state

    with CaptureQueriesContext(connection) as statements:
        record(till, now=now, share_saga=None)

    assert sum("FROM payments_capture" in one["sql"] for one in statements) == reads


# --- by a person's word -------------------------------------------------------------------------------------


def test_a_person_may_say_that_it_was_taken(till: Till, now: datetime) -> None:
    share = in_doubt(till, done=True)

    decide(share, is_taken=True, now=now)

    assert till.share_row("A-1/p1").state == Share.SUCCEEDED
    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)
    assert till.share("A-1/p1", 300) == Done({"captured_minor": 300})
    assert wrong_books() == []


def test_a_person_may_say_that_it_was_not(till: Till, now: datetime) -> None:
    share = in_doubt(till, done=False)

    decide(share, is_taken=False, now=now)

    assert (till.share_row("A-1/p1").state, till.share_row("A-1/p1").code) == (
        Share.FAILED,
        "settled_by_hand",
    )
    assert amounts(till) == (State.AUTHORIZED, 0, 1000)
    assert till.share("A-1/p2", 400) == Done({"captured_minor": 400})


def test_what_is_known_is_not_decided(till: Till, now: datetime) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    with pytest.raises(ShareNotOpen, match="succeeded"):
        decide(till.share_row("A-1/p1"), is_taken=False, now=now)

    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)


def test_while_a_step_is_asking_nobody_decides(
    till: Till, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = in_doubt(till, done=True)
    monkeypatch.setattr("payments.commands.settling.at_work", lambda sagas, _names: set(sagas))

    with pytest.raises(ShareAtWork):
        decide(share, is_taken=True, now=now)
    record(till, now=now + QUIET)

    assert till.share_row("A-1/p1").state == Share.UNKNOWN


@pytest.mark.parametrize("missing", ["actor", "reason"])
def test_it_takes_a_person_and_a_reason(till: Till, now: datetime, missing: str) -> None:
    share = in_doubt(till, done=True)

    with pytest.raises(ReasonMissing):
        decide(share, is_taken=True, now=now, **{missing: " "})


def test_there_must_be_such_a_share(now: datetime, transactional_db: None) -> None:
    with pytest.raises(NoSuchShare):
        decide_share(uuid7(), is_taken=True, actor="ada", reason="looked", now=now)


def decide(share: Capture, *, is_taken: bool, now: datetime, **changes: Any) -> None:
    """As ada would."""
    who = {"actor": "ada", "reason": "the bank says so", **changes}
    decide_share(share.pk, is_taken=is_taken, now=now, **who)


def record(till: Till, *, now: datetime, share_saga: Any = "its own") -> list[str]:
    """What the provider has is written down, as the sweep does; a webhook names no share."""
    payment = till.payment("A-1")
    intent = till.gateway.retrieve(payment.provider_id)
    assert isinstance(intent, Intent)
    if share_saga is not None:
        share_saga = till.share_row("A-1/p1").saga_id
    return record_findings([Finding(saga_id=payment.saga_id, intent=intent, share_saga=share_saga)], now=now)
