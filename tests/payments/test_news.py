"""What is news, and what we know already: the table of it, without a database."""

from __future__ import annotations

from typing import Any

import pytest

from payments.gateways.base import IntentStatus, RefundStatus
from payments.gateways.events import Claim, read_claim, read_notice
from payments.models import Payment, Refund
from payments.news import Found, PaymentAsItStands, RefundAsItStands, is_known, refund_meant
from sagas.ids import uuid7
from sagas.inbox.sources import Unreadable

State = Payment.State
Status = IntentStatus
UNSETTLED = {State.CREATED, State.AUTHORIZING, State.UNKNOWN}
HELD = {
    State.AUTHORIZED, State.CAPTURING, State.CAPTURE_FAILED, State.VOIDING, State.PARTLY_CAPTURED, State.RELEASING,
}  # fmt: skip

#: For each status that is claimed: the states in which that is no news.
KNOWN = {
    Status.UNCONFIRMED: set(State),
    Status.REQUIRES_ACTION: set(State) - UNSETTLED,
    Status.PROCESSING: set(State) - UNSETTLED,
    Status.AUTHORIZED: HELD | {State.CAPTURED, State.EXPIRED},
    Status.CAPTURED: {State.CAPTURED},
    Status.VOIDED: {State.VOIDED, State.EXPIRED, State.DECLINED},
    Status.DECLINED: {State.VOIDED, State.EXPIRED, State.DECLINED},
}


def payment(state: str = State.AUTHORIZED, **more: Any) -> PaymentAsItStands:
    values: dict[str, Any] = {
        "id": uuid7(), "saga_id": uuid7(), "provider_id": "pi_1", "state": state, "unknown_of": "",
        "amount_minor": 1000, "currency": "GBP", "authorized_minor": 0,
        "captured_minor": 1000 if state == State.CAPTURED else 0, "reversed_minor": 0, "version": 1,
    }  # fmt: skip
    return PaymentAsItStands(**values | more)


def claim(status: Any, **more: Any) -> Claim:
    values: dict[str, Any] = {
        "kind": "payment", "object_id": "pi_1", "intent_id": "pi_1", "status": status, "amount_minor": 1000,
        "captured_minor": 1000 if status == Status.CAPTURED else 0, "currency": "GBP",
    }  # fmt: skip
    return Claim(**values | more)


def known(ours: PaymentAsItStands, said: Claim, *refunds: RefundAsItStands) -> bool:
    return is_known(Found({"pi_1": ours}, {ours.id: refunds}), ours, said)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("state", list(State))
def test_what_our_row_says_already_is_no_news(status: IntentStatus, state: State) -> None:
    assert known(payment(state), claim(status)) == (state in KNOWN[status])


def test_an_authorization_of_a_payment_that_was_held_before_is_old_and_of_one_that_never_was_is_news() -> (
    None
):
    assert known(payment(State.VOIDED, authorized_minor=1000), claim(Status.AUTHORIZED))
    assert not known(payment(State.VOIDED), claim(Status.AUTHORIZED))


@pytest.mark.parametrize(
    "lie", [{"amount_minor": 999}, {"amount_minor": None}, {"currency": "EUR"}, {"currency": ""}]
)
def test_f22_another_amount_or_currency_is_never_known(lie: dict[str, Any]) -> None:
    for state in State:
        for status in Status:
            assert not known(payment(state), claim(status, **lie))


def test_f22_a_word_we_do_not_know_and_another_captured_amount_are_news() -> None:
    assert not known(payment(State.CAPTURED), claim(None))
    assert not known(payment(State.CAPTURED), claim(Status.CAPTURED, captured_minor=999))


def test_f25_once_it_is_booked_that_a_capture_was_taken_back_its_failure_is_known_and_its_success_is_not() -> (
    None
):
    ours = payment(State.CAPTURED, reversed_minor=1000)

    assert known(ours, claim(Status.DECLINED))
    assert not known(ours, claim(Status.CAPTURED))


def refund(state: str, reference: str = "A-1/C-1", provider_id: str = "", **more: Any) -> RefundAsItStands:
    values: dict[str, Any] = {"id": uuid7(), "saga_id": uuid7(), "payment_id": uuid7(), "amount_minor": 400}
    return RefundAsItStands(provider_id=provider_id, reference=reference, state=state, **values | more)


def told(status: Any, reference: str = "A-1/C-1", object_id: str = "re_1", **more: Any) -> Claim:
    values = {"kind": "refund", "object_id": object_id, "amount_minor": 400, "reference": reference}
    return claim(status, **values | more)


@pytest.mark.parametrize(
    ("state", "status", "is_old"),
    [
        (Refund.State.SUCCEEDED, RefundStatus.SUCCEEDED, True),
        (Refund.State.SUCCEEDED, RefundStatus.PENDING, True),
        (Refund.State.SUCCEEDED, RefundStatus.FAILED, False),
        (Refund.State.SUCCEEDED, RefundStatus.CANCELLED, False),
        (Refund.State.FAILED, RefundStatus.FAILED, True),
        (Refund.State.FAILED, RefundStatus.SUCCEEDED, False),
        (Refund.State.SUBMITTING, RefundStatus.SUCCEEDED, False),
        (Refund.State.UNKNOWN, RefundStatus.PENDING, False),
        (Refund.State.SUCCEEDED, None, False),
    ],
)
def test_f31_of_a_refund_only_what_our_row_says_already_is_no_news(
    state: str, status: Any, is_old: bool
) -> None:
    assert known(payment(State.CAPTURED), told(status), refund(state, provider_id="re_1")) is is_old


def test_a_refund_is_known_by_its_id_else_by_our_reference_and_never_by_its_amount() -> None:
    ours = payment(State.CAPTURED)
    named = refund(Refund.State.SUCCEEDED, "A-1/C-1", "re_1")
    first, second = refund(Refund.State.UNKNOWN, "A-1/C-2"), refund(Refund.State.UNKNOWN, "A-1/C-3")
    found = Found({"pi_1": ours}, {ours.id: [named, first, second]})

    assert refund_meant(found, told(RefundStatus.SUCCEEDED, "A-1/C-1", "re_1")) is named
    assert refund_meant(found, told(RefundStatus.SUCCEEDED, "A-1/C-3", "re_9")) is second
    assert refund_meant(found, told(RefundStatus.SUCCEEDED, "A-1/C-1", "re_9")) is None
    assert refund_meant(found, told(RefundStatus.SUCCEEDED, "by hand", "re_9")) is None
    assert refund_meant(found, told(RefundStatus.SUCCEEDED, "", "re_9", amount_minor=None)) is None
    assert refund_meant(found, told(RefundStatus.SUCCEEDED, "A-1/C-3", "re_9", intent_id="pi_2")) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"null", b"[1]", b'{"id": "evt_1"}', b'{"id": "evt_1", "data": {"object": []}}',
     b'{"id": "evt_1", "type": "x", "data": {"object": {}}}',
     b'{"id": "evt_1", "type": "x", "created": "soon", "data": {"object": {}}}',
     b'{"id": "evt_1", "type": "x", "created": 1e300, "data": {"object": {}}}',
     b'{"id": 7, "type": "x", "created": 1, "data": {"object": {}}}',
     b'{"id": "evt_\xc3\xa9", "type": "x", "created": 1, "data": {"object": {}}}',
     b'{"id": "evt_1", "type": "", "created": 1, "data": {"object": {}}}',
     b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_event_is_unreadable_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_notice(body)


def test_an_event_is_read_also_where_its_object_is_strange() -> None:
    strange = (
        b'{"id": "evt_1", "type": "x", "created": 1, "data": {"object": {"object": "payment_intent", "id": "pi_1",'
        b' "status": 5, "amount": true, "currency": null, "metadata": []}}}'
    )

    notice, said = read_notice(strange), read_claim(strange)

    assert (notice.object_id, notice.type) == ("pi_1", "x")
    assert (said.kind, said.status, said.amount_minor, said.currency) == ("payment", None, None, "")


def test_the_same_fact_has_one_meaning_and_any_difference_makes_another() -> None:
    def meaning(*, event: str = "evt_1", amount: int = 1, kind: str = "x") -> str:
        said = f'{{"object": "refund", "id": "re_1", "amount": {amount}}}'
        text = f'{{"id": "{event}", "type": "{kind}", "created": 1, "data": {{"object": {said}}}}}'
        return read_notice(text.encode()).meaning

    assert meaning(event="evt_1") == meaning(event="evt_2")
    assert len({meaning(), meaning(amount=2), meaning(kind="y")}) == 3
