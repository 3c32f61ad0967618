"""Webhooks of a gateway: a doorbell, never the truth. What the gateway says when it is asked is what counts."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from payments.gateways.base import Intent, IntentStatus
from payments.models import Payment
from sagas.clock import travel
from sagas.inbox.rows import IncomingWebhook
from sagas.verdicts import Unavailable
from tests.payments.letters import Postman, about_intent
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
