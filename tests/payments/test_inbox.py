"""Webhooks of a gateway: a doorbell, never the truth. What the gateway says when it is asked is what counts."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from payments.commands.findings import Finding, record_findings
from payments.gateways.base import Intent, IntentStatus, RefundIntent, RefundStatus
from payments.models import Dispute, Payment, Refund
from payments.queries import trial_balance
from sagas.clock import travel
from sagas.ids import uuid7
from sagas.inbox.rows import IncomingWebhook
from sagas.verdicts import Refused, Unavailable, Waiting
from tests.payments.letters import Postman, about_dispute, about_intent
from tests.payments.till import Till

State = Payment.State


class Ears:
    """Counts how often the gateway is asked."""

    def __init__(self, till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        honest = till.gateway.retrieve

        def retrieve(intent_id: str, *, correlation_id: str = "") -> Any:
            self.asked.append(intent_id)
            return honest(intent_id, correlation_id=correlation_id)

        monkeypatch.setattr(till.gateway, "retrieve", retrieve)


@pytest.fixture
def ears(till: Till, monkeypatch: pytest.MonkeyPatch) -> Ears:
    return Ears(till, monkeypatch)


def shown(payment: Payment) -> tuple[Any, ...]:
    return (payment.state, payment.authorized_minor, payment.captured_minor, payment.refunded_minor,
            payment.reversed_minor, payment.flag, payment.mismatch)  # fmt: skip


def test_f19_what_we_know_already_is_ignored_and_nobody_is_asked(
    till: Till, postman: Postman, ears: Ears
) -> None:
    till.captured("A-1")
    [created, held, taken] = [
        postman.tell(about_intent(intent), kind=kind)
        for intent, kind in (
            (a_intent(IntentStatus.UNCONFIRMED), "payment_intent.created"),
            (a_intent(IntentStatus.AUTHORIZED), "payment_intent.amount_capturable_updated"),
            (a_intent(IntentStatus.CAPTURED, captured_minor=1000), "payment_intent.succeeded"),
        )
    ]
    before = (shown(till.payment("A-1")), till.story("A-1"))

    ears.asked.clear()
    postman.read()

    assert [postman.fate(one) for one in (created, held, taken)] == ["ignored: known"] * 3
    assert ears.asked == []
    assert (shown(till.payment("A-1")), till.story("A-1")) == before


def a_intent(status: IntentStatus, ident: str = "pi_1", **more: Any) -> Intent:
    values: dict[str, Any] = {
        "id": ident, "status": status, "amount_minor": 1000, "currency": "GBP", "capturable_minor": 0,
        "captured_minor": 0, "reference": "A-1", "key": "",
    }  # fmt: skip
    return Intent(**values | more)


EVENTS = [
    ("payment_intent.created", IntentStatus.UNCONFIRMED, 0),
    ("payment_intent.processing", IntentStatus.PROCESSING, 0),
    ("payment_intent.amount_capturable_updated", IntentStatus.AUTHORIZED, 0),
    ("payment_intent.succeeded", IntentStatus.CAPTURED, 1000),
]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_f19_in_whatever_order_they_come_the_payment_ends_in_the_same_state(
    till: Till, postman: Postman, order: tuple[int, ...]
) -> None:
    ask = till.created(till.asked(till.call("payments.authorize_payment", "A-1")))
    till.ask(ask)  # held at the provider; the worker died before it could say so
    till.gateway.happen("pi_1", status=IntentStatus.CAPTURED, captured_minor=1000, capturable_minor=0)

    for number in order:
        kind, status, captured = EVENTS[number]
        postman.tell(about_intent(a_intent(status, captured_minor=captured)), kind=kind)
        postman.read()

    assert shown(till.payment("A-1")) == (State.CAPTURED, 1000, 1000, 0, 0, "", "")
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentCaptured"]
    assert till.entries("A-1") == ["authorization", "capture"]


def test_f18_what_comes_before_its_payment_waits_and_is_read_once_the_id_is_stored(
    till: Till, postman: Postman
) -> None:
    early = postman.tell(about_intent(a_intent(IntentStatus.UNCONFIRMED)), kind="payment_intent.created")
    postman.read()
    waiting = postman.fate(early)

    till.created(till.asked(till.call("payments.authorize_payment", "A-1")))

    due = IncomingWebhook.objects.get().wake_at
    travel(1)
    postman.read()
    assert waiting == "unmatched: no_such_payment"
    assert due == till.clock.now
    assert postman.fate(early) == "ignored: known"


def test_f18_f17_early_and_doubled_under_another_id_it_is_read_once(till: Till, postman: Postman) -> None:
    said = about_intent(a_intent(IntentStatus.AUTHORIZED))
    first, twin = postman.tell(said), postman.tell(said)
    postman.tell(said, ident=first)
    postman.read()
    till.authorize("A-1")
    travel(2)

    postman.read()

    assert (postman.fate(first), postman.fate(twin)) == ("ignored: known", "ignored: duplicate")
    assert till.story("A-1") == ["PaymentAuthorized"]


def test_f13_a_payment_whose_saga_stands_still_is_settled_by_what_the_gateway_says(
    till: Till, postman: Postman
) -> None:
    till.gateway.script("authorize", "A-1", "do_then_drop")
    till.authorize("A-1")
    between = till.payment("A-1").state

    event = postman.tell_of("pi_1")
    postman.read()

    assert between == State.UNKNOWN
    assert postman.fate(event) == "applied: authorized"
    assert (till.payment("A-1").state, till.payment("A-1").authorized_minor) == (State.AUTHORIZED, 1000)


def test_f75_a_hold_that_comes_through_after_its_void_is_kept_so_that_it_can_be_let_go(
    till: Till, postman: Postman
) -> None:
    till.created(till.asked(till.call("payments.authorize_payment", "A-1")))
    till.void("A-1")
    tombstone = till.payment("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.AUTHORIZED, capturable_minor=1000)

    event = postman.tell_of("pi_1")
    postman.read()
    kept = till.payment("A-1")
    till.void("A-1")

    assert (tombstone.state, tombstone.authorized_minor) == (State.VOIDED, 0)
    assert postman.fate(event) == "applied: late_success"
    assert (kept.state, kept.authorized_minor, kept.released_at) == (State.AUTHORIZED, 1000, None)
    assert till.payment("A-1").state == State.VOIDED
    assert till.story("A-1") == ["PaymentVoided", "PaymentAuthorized", "PaymentVoided"]
    assert till.entries("A-1") == ["authorization", "release"]


def test_f75_a_hold_that_we_had_seen_and_let_go_cannot_be_back_and_is_flagged(
    till: Till, postman: Postman
) -> None:
    till.authorize("A-1")
    till.void("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.AUTHORIZED, capturable_minor=1000)

    event = postman.tell_of("pi_1", amount=1)  # what it says is no reason to look, so this one lies
    postman.read()

    assert postman.fate(event) == "applied: mismatch"
    assert till.payment("A-1").state == State.VOIDED
    assert "still held" in till.payment("A-1").mismatch


def test_f23_a_hold_that_ran_out_behind_our_back_is_noted(till: Till, postman: Postman) -> None:
    till.authorize("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.VOIDED, capturable_minor=0)

    event = postman.tell_of("pi_1")
    postman.read()

    assert postman.fate(event) == "applied: expired"
    assert till.payment("A-1").state == State.EXPIRED
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentExpired"]
    assert till.entries("A-1") == ["authorization", "release"]


def test_f25_a_capture_that_was_taken_back_is_owed_by_the_customer(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.happen(
        "pi_1", status=IntentStatus.DECLINED, captured_minor=0, decline_code="insufficient_funds"
    )

    event, again = postman.tell_of("pi_1"), postman.tell_of("pi_1", description="once more")
    postman.read()

    payment = till.payment("A-1")
    assert (postman.fate(event), postman.fate(again)) == ("applied: reversed", "applied: reversed")
    assert (payment.state, payment.reversed_minor, payment.flag) == (State.CAPTURED, 1000, "reversed")
    assert till.story("A-1")[-1] == "CaptureReversed"
    assert till.entries("A-1") == ["authorization", "capture", "capture_reversed"]
    assert (trial_balance()["receivable", "GBP"], trial_balance()["provider_clearing", "GBP"]) == (1000, 0)


def test_what_the_gateway_said_before_our_row_moved_is_worth_nothing(
    till: Till, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.gateway.script("authorize", "A-1", "do_then_drop")
    till.authorize("A-1")
    honest = till.gateway.retrieve
    told: list[Any] = []

    def slow(intent_id: str, *, correlation_id: str = "") -> Any:
        answer = honest(intent_id, correlation_id=correlation_id)
        if not told:
            told.append(answer)
            till.authorize("A-1")  # meanwhile a worker settles it, and captures
            till.capture("A-1")
        return answer

    monkeypatch.setattr(
        "sagas.inbox.work.side_by_side", lambda ask, questions: [(q, ask(q)) for q in questions]
    )
    event = postman.tell_of("pi_1")
    monkeypatch.setattr(till.gateway, "retrieve", slow)
    postman.read()
    between = (postman.fate(event), till.payment("A-1").mismatch)
    travel(2)

    postman.read()

    assert told[0].status == IntentStatus.AUTHORIZED
    assert between == ("matched: moved_meanwhile", "")
    assert postman.fate(event) == "ignored: known"
    assert till.story("A-1") == ["PaymentUnknown", "PaymentAuthorized", "PaymentCaptured"]


@pytest.mark.parametrize("turned", [False, True])
def test_f33_of_two_refunds_of_one_amount_each_is_known_by_its_own_reference(
    till: Till, postman: Postman, turned: bool
) -> None:
    till.captured("A-1")
    for note in ("A-1/C-1", "A-1/C-2"):
        till.gateway.script("refund", note, "do_then_drop")
        till.refund(note, refund=400)
    refunds = till.gateway.refunds_of("pi_1")
    assert isinstance(refunds, tuple)

    events = [postman.tell_of_refund(refund.id) for refund in (refunds[::-1] if turned else refunds)]
    postman.read()

    assert [postman.fate(event) for event in events] == ["applied: refunded"] * 2
    assert {r.id: till.refund_row(r.reference).provider_id for r in refunds} == {r.id: r.id for r in refunds}
    assert (till.payment("A-1").refunded_minor, till.payment("A-1").mismatch) == (800, "")


def test_a_refund_made_by_hand_while_ours_is_under_way_is_not_taken_for_ours(
    till: Till, postman: Postman
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", "drop")
    till.refund("A-1/C-1", refund=400)
    foreign = till.gateway.refund(
        RefundIntent(key=uuid7(), intent_id="pi_1", amount_minor=400, reference="by hand")
    )

    event = postman.tell_of_refund(foreign.id)  # type: ignore[union-attr]
    postman.read()

    assert postman.fate(event) == "applied: mismatch"
    assert till.refund_row("A-1/C-1").state == Refund.State.UNKNOWN


def test_what_was_found_out_twice_is_written_once(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.DECLINED, captured_minor=0)
    truth = till.gateway.retrieve("pi_1")
    assert isinstance(truth, Intent)
    finding = Finding(saga_id=till.payment("A-1").saga_id, intent=truth)

    words = [record_findings([finding], now=till.clock.now) for _ in range(2)]

    assert words == [["reversed"], ["known"]]
    assert till.story("A-1").count("CaptureReversed") == 1


def test_f25_what_was_taken_back_is_not_given_back_once_more(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.DECLINED, captured_minor=0)
    postman.tell_of("pi_1")
    postman.read()

    answer = till.refund("A-1/C-1", refund=400)

    assert isinstance(answer, Waiting)
    assert answer.code == "payments.reversed"
    assert till.payment("A-1").refunding_minor == 0


def test_f31_a_refund_that_comes_back_days_later_is_owed_again(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.refund("A-1/C-1", refund=400)
    refund = till.refund_row("A-1/C-1").provider_id
    till.gateway.happen(refund, status=RefundStatus.FAILED, failure_code="expired_or_canceled_card")

    event = postman.tell_of_refund(refund)
    postman.read()

    payment, row = till.payment("A-1"), till.refund_row("A-1/C-1")
    assert postman.fate(event) == "applied: refund_returned"
    assert (row.state, row.code) == (Refund.State.FAILED, "expired_or_canceled_card")
    assert (payment.refunded_minor, payment.refunding_minor) == (0, 400)
    assert till.story("A-1")[-2:] == ["PaymentRefunded", "RefundReturned"]
    assert till.entries("A-1")[-3:] == ["refund_promised", "refund_paid", "refund_returned"]
    assert trial_balance()["refunds_payable", "GBP"] == -400
    assert trial_balance()["provider_clearing", "GBP"] == 1000


def test_f31_what_came_back_is_not_sent_by_the_same_way_again(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.refund("A-1/C-1", refund=400)
    refund = till.refund_row("A-1/C-1").provider_id
    till.gateway.happen(refund, status=RefundStatus.FAILED, failure_code="closed")
    postman.tell_of_refund(refund)
    postman.read()

    answer = till.refund("A-1/C-1", refund=400)

    assert answer == Refused("payments.refund_failed", "closed")
    assert till.gateway.effects("A-1")["refunds"] == 1


def test_f20_f32_a_refund_that_nobody_settled_is_settled_by_what_the_gateway_says(
    till: Till, postman: Postman
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", "do_then_drop")
    till.refund("A-1/C-1", refund=400)
    [refund] = till.gateway.list_refunds().items  # type: ignore[union-attr]

    event = postman.tell_of_refund(refund.id)
    postman.read()

    assert postman.fate(event) == "applied: refunded"
    assert (till.refund_row("A-1/C-1").state, till.payment("A-1").refunded_minor) == (
        Refund.State.SUCCEEDED,
        400,
    )


def test_a_refund_that_somebody_else_made_is_flagged_not_booked(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    foreign = till.gateway.refund(
        RefundIntent(key=uuid7(), intent_id="pi_1", amount_minor=300, reference="by hand")
    )

    event = postman.tell_of_refund(foreign.id)  # type: ignore[union-attr]
    postman.read()

    payment = till.payment("A-1")
    assert postman.fate(event) == "applied: mismatch"
    assert (payment.refunded_minor, "not by us" in payment.mismatch) == (0, True)
    assert till.story("A-1")[-1] == "PaymentFlagged"


@pytest.mark.parametrize(
    "truth",
    [{"amount_minor": 999}, {"currency": "EUR"}, {"captured_minor": 999}, {"captured_minor": 5000}],
    ids=str,
)
def test_f22_what_cannot_be_is_flagged_once_and_nothing_is_applied(
    till: Till, postman: Postman, truth: dict[str, Any]
) -> None:
    till.authorize("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.CAPTURED, **{"captured_minor": 1000, **truth})

    events = [postman.tell_of("pi_1"), postman.tell_of("pi_1", description="again")]
    postman.read()
    postman.tell_of("pi_1", description="and again")
    postman.read()

    payment = till.payment("A-1")
    assert {postman.fate(event) for event in events} == {"applied: mismatch"}
    assert (payment.state, payment.captured_minor) == (State.AUTHORIZED, 0)
    assert str(next(iter(truth.values()))) in payment.mismatch
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentFlagged"]


def test_f22_a_word_we_do_not_know_is_asked_about_and_flagged_if_it_is_the_gateways(
    till: Till, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.authorize("A-1")
    told = Unavailable("payments.mismatch", "ValueError: unknown status 'pondering'")
    monkeypatch.setattr(till.gateway, "retrieve", lambda *_, **__: told)

    event = postman.tell(about_intent(a_intent(IntentStatus.AUTHORIZED), status="pondering"))
    postman.read()

    assert postman.fate(event) == "applied: mismatch"
    assert "pondering" in till.payment("A-1").mismatch
    assert till.payment("A-1").state == State.AUTHORIZED


@pytest.mark.parametrize(
    "lie",
    [{"amount": 1}, {"currency": "usd"}, {"status": "pondering"}, {"amount_received": 1, "status": "succeeded"},
     {"status": "canceled"}, {"amount": "a lot"}, {"currency": None}],
    ids=str,
)  # fmt: skip
def test_f22_a_lie_with_a_good_signature_changes_nothing(
    till: Till, postman: Postman, ears: Ears, lie: dict[str, Any]
) -> None:
    till.authorize("A-1")
    before = shown(till.payment("A-1"))

    event = postman.tell_of("pi_1", **lie)
    ears.asked.clear()
    postman.read()

    assert postman.fate(event) == "ignored: known"
    assert ears.asked == ["pi_1"]
    assert (shown(till.payment("A-1")), till.story("A-1")) == (before, ["PaymentAuthorized"])


def test_a_gateway_that_cannot_be_asked_is_asked_later(
    till: Till, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.authorize("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.VOIDED)
    event = postman.tell_of("pi_1")
    with monkeypatch.context() as down:
        down.setattr(till.gateway, "retrieve", lambda *_, **__: Unavailable("payments.provider_down"))
        postman.read()
    between = postman.fate(event)
    travel(2)

    postman.read()

    assert (between, postman.fate(event)) == ("matched: payments.provider_down", "applied: expired")


@pytest.mark.parametrize("order", list(permutations(["needs_response", "under_review", "won"])))
def test_f34_a_dispute_ends_as_it_was_decided_in_whatever_order_it_is_told(
    till: Till, postman: Postman, order: tuple[str, ...]
) -> None:
    till.captured("A-1")

    for status in order:
        postman.tell(about_dispute("pi_1", status), kind="charge.dispute.updated")
        postman.read()

    assert Dispute.objects.get().state == Dispute.State.WON
    assert set(IncomingWebhook.objects.values_list("state", flat=True)) <= {"applied", "ignored"}
    assert till.payment("A-1").flag == ""
    assert till.payment("A-1").captured_minor == 1000


def test_f34_an_open_dispute_stops_refunds_and_a_lost_one_stays_flagged(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    postman.tell(about_dispute("pi_1", "needs_response"), kind="charge.dispute.created")
    postman.read()
    flag = till.payment("A-1").flag
    refund = till.refund("A-1/C-1", refund=400)

    postman.tell(about_dispute("pi_1", "lost"), kind="charge.dispute.closed")
    postman.read()

    assert (flag, refund.code) == ("disputed", "payments.disputed")  # type: ignore[union-attr]
    assert till.payment("A-1").flag == "dispute_lost"
    assert [w for w in till.story("A-1") if w == "PaymentFlagged"] == ["PaymentFlagged"] * 2


def test_a_secret_costs_one_statement_for_a_whole_batch_of_new_ids(
    till: Till, postman: Postman, django_assert_num_queries: Any
) -> None:
    asks = [till.asked(till.call("payments.authorize_payment", f"A-{n}")) for n in range(20)]
    answers = [(ask.call, till.ask(ask)) for ask in asks]

    with django_assert_num_queries(5):  # lock, update, wake; a savepoint around them
        till.record(answers)


def test_what_another_gateway_tells_is_kept_for_when_it_is_in_use_again(
    till: Till, postman: Postman, ears: Ears
) -> None:
    till.authorize("A-1")
    ears.asked.clear()
    event = postman.tell(about_intent(a_intent(IntentStatus.VOIDED)), source="payments.stripe")

    postman.read()

    assert postman.fate(event) == "matched: gateway_not_in_use"
    assert (ears.asked, till.payment("A-1").state) == ([], State.AUTHORIZED)


def test_what_is_not_about_payments_is_kept_and_ignored(till: Till, postman: Postman) -> None:
    event = postman.tell({"id": "cus_1", "object": "customer"}, kind="customer.created")

    postman.read()

    assert postman.fate(event) == "ignored: not_for_us"
