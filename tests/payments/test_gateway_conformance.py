"""One suite for every gateway: the fake in memory, the sandbox over HTTP, and Stripe's official client there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from payments.gateways import base
from payments.gateways.base import (
    CaptureIntent,
    ConfirmIntent,
    IntentStatus,
    RefundStatus,
    VoidIntent,
)
from sagas.resilience.asking import KeyReused
from sagas.verdicts import Refused, Unavailable
from tests.payments.gateway_stage import GATEWAYS, Stage, stage_of
from tests.sandbox_process import SandboxProcess, running_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture(params=GATEWAYS)
def stage(request: pytest.FixtureRequest) -> Stage:
    return stage_of(request)


def test_creating_touches_no_card(stage: Stage) -> None:
    intent = stage.created()

    assert (intent.status, intent.amount_minor, intent.currency) == (IntentStatus.UNCONFIRMED, 1250, "GBP")
    assert (intent.reference, intent.key) == (stage.reference, str(stage.key))
    assert (intent.capturable_minor, intent.captured_minor) == (0, 0)
    assert stage.happened("holds") == 0


def test_confirming_holds_the_money_once_per_key(stage: Stage) -> None:
    intent = stage.created()

    first = stage.an_intent(stage.gateway.confirm(stage.confirmation(intent)))
    again = stage.an_intent(stage.gateway.confirm(stage.confirmation(intent)))

    assert (first.status, first.capturable_minor) == (IntentStatus.AUTHORIZED, 1250)
    assert again == first
    assert stage.happened("holds") == 1


def test_creating_twice_with_one_key_makes_one_intent(stage: Stage) -> None:
    first, again = stage.created(), stage.created()

    assert again.id == first.id
    assert stage.gateway.find_by_reference(stage.reference) == (first,)


def test_one_key_for_two_different_requests_is_a_bug(stage: Stage) -> None:
    stage.created()

    with pytest.raises(KeyReused):
        stage.gateway.create(stage.creation(amount_minor=1251))


def test_a_decline_is_refused_with_the_banks_code_and_stays_so(stage: Stage) -> None:
    stage.script("authorize", "decline", code="lost_card")
    intent = stage.created()

    first = stage.gateway.confirm(stage.confirmation(intent))
    again = stage.gateway.confirm(stage.confirmation(intent))
    by_another_key = stage.gateway.confirm(ConfirmIntent(key=uuid4(), intent_id=intent.id))

    assert first == again == Refused("payments.declined", "lost_card")
    assert by_another_key == first
    assert stage.as_it_stands(intent).status == IntentStatus.DECLINED
    assert stage.as_it_stands(intent).decline_code == "lost_card"
    assert stage.happened("holds") == 0


def test_capturing_takes_the_money_once(stage: Stage) -> None:
    intent = stage.authorized()
    request = CaptureIntent(key=stage.key, intent_id=intent.id, amount_minor=1250)

    first = stage.an_intent(stage.gateway.capture(request))
    again = stage.an_intent(stage.gateway.capture(request))
    by_another_key = stage.an_intent(
        stage.gateway.capture(CaptureIntent(key=uuid4(), intent_id=intent.id, amount_minor=1250))
    )

    assert (first.status, first.captured_minor, first.capturable_minor) == (IntentStatus.CAPTURED, 1250, 0)
    assert first == again == by_another_key
    assert stage.happened("captures") == 1


def test_capturing_a_part_lets_the_rest_of_the_hold_go(stage: Stage) -> None:
    intent = stage.authorized()

    captured = stage.an_intent(
        stage.gateway.capture(CaptureIntent(key=stage.key, intent_id=intent.id, amount_minor=1000))
    )

    assert (captured.amount_minor, captured.captured_minor, captured.capturable_minor) == (1250, 1000, 0)


def test_capturing_more_than_was_authorized_is_refused(stage: Stage) -> None:
    intent = stage.authorized()

    result = stage.gateway.capture(CaptureIntent(key=stage.key, intent_id=intent.id, amount_minor=1251))

    assert result == Refused("payments.amount_too_large", "amount_too_large")
    assert stage.as_it_stands(intent).status == IntentStatus.AUTHORIZED
    assert stage.happened("captures") == 0


def test_capturing_what_was_never_authorized_is_refused(stage: Stage) -> None:
    intent = stage.created()

    result = stage.gateway.capture(CaptureIntent(key=stage.key, intent_id=intent.id, amount_minor=1250))

    assert isinstance(result, Refused)
    assert result.code == "payments.not_authorized"


def test_a_capture_the_bank_declines_leaves_the_hold(stage: Stage) -> None:
    stage.script("capture", "decline", code="expired_card")
    intent = stage.authorized()

    result = stage.gateway.capture(CaptureIntent(key=stage.key, intent_id=intent.id, amount_minor=1250))

    assert result == Refused("payments.capture_failed", "expired_card")
    assert stage.as_it_stands(intent).status == IntentStatus.AUTHORIZED


def test_voiding_lets_the_hold_go_once(stage: Stage) -> None:
    intent = stage.authorized()

    first = stage.an_intent(stage.gateway.void(stage.voiding(intent)))
    again = stage.an_intent(stage.gateway.void(stage.voiding(intent)))
    by_another_key = stage.an_intent(stage.gateway.void(VoidIntent(key=uuid4(), intent_id=intent.id)))

    assert (first.status, first.capturable_minor) == (IntentStatus.VOIDED, 0)
    assert first == again == by_another_key
    assert stage.happened("voids") == 1


def test_an_unconfirmed_intent_that_was_voided_can_never_hold_anything(stage: Stage) -> None:
    intent = stage.created()
    stage.gateway.void(stage.voiding(intent))

    result = stage.gateway.confirm(stage.confirmation(intent))

    assert isinstance(result, Refused)
    assert result.code == "payments.already_voided"
    assert (stage.happened("holds"), stage.happened("voids")) == (0, 0)


def test_f30_a_void_after_the_capture_is_refused(stage: Stage) -> None:
    intent = stage.captured()

    result = stage.gateway.void(stage.voiding(intent))

    assert isinstance(result, Refused)
    assert result.code == "payments.already_captured"
    assert stage.as_it_stands(intent).status == IntentStatus.CAPTURED


def test_a_capture_after_the_void_is_refused(stage: Stage) -> None:
    intent = stage.authorized()
    stage.gateway.void(stage.voiding(intent))

    result = stage.gateway.capture(CaptureIntent(key=stage.key, intent_id=intent.id, amount_minor=1250))

    assert isinstance(result, Refused)
    assert result.code == "payments.already_voided"
    assert stage.happened("captures") == 0


def test_f33_refunds_never_exceed_what_was_captured(stage: Stage) -> None:
    intent = stage.captured()

    first = stage.a_refund(stage.gateway.refund(stage.refunding(intent, 1000)))
    too_much = stage.gateway.refund(stage.refunding(intent, 251))
    rest = stage.a_refund(stage.gateway.refund(stage.refunding(intent, 250)))
    nothing_left = stage.gateway.refund(stage.refunding(intent, 1))

    assert (first.status, first.amount_minor, first.intent_id) == (RefundStatus.SUCCEEDED, 1000, intent.id)
    assert isinstance(too_much, Refused)
    assert isinstance(nothing_left, Refused)
    assert too_much.code == nothing_left.code == "payments.refund_too_large"
    assert stage.gateway.refunds_of(intent.id) == (rest, first)
    assert stage.happened("refunds") == 2


def test_refunding_twice_with_one_key_pays_once(stage: Stage) -> None:
    intent, key = stage.captured(), uuid4()

    first = stage.a_refund(stage.gateway.refund(stage.refunding(intent, 400, key)))
    again = stage.a_refund(stage.gateway.refund(stage.refunding(intent, 400, key)))

    assert first == again
    assert first.key == str(key)
    assert stage.gateway.retrieve_refund(first.id) == first
    assert stage.happened("refunds") == 1


def test_refunding_what_was_not_captured_is_refused(stage: Stage) -> None:
    result = stage.gateway.refund(stage.refunding(stage.authorized(), 100))

    assert isinstance(result, Refused)
    assert result.code == "payments.not_captured"


def test_f31_a_refund_that_fails_is_refused_and_leaves_the_money_owed(stage: Stage) -> None:
    stage.script("refund", "decline", code="lost_or_stolen_card")
    intent = stage.captured()

    result = stage.gateway.refund(stage.refunding(intent, 1250))

    assert result == Refused("payments.refund_failed", "lost_or_stolen_card")
    refunds = stage.gateway.refunds_of(intent.id)
    assert isinstance(refunds, tuple)
    assert [one.status for one in refunds] == [RefundStatus.FAILED]
    assert stage.happened("refunds") == 0


def test_a_refusal_of_another_kind_keeps_the_vendors_word(stage: Stage) -> None:
    stage.script("void", "refuse", code="locked_by_review")
    intent = stage.authorized()

    result = stage.gateway.void(stage.voiding(intent))

    assert result == Refused("payments.gateway_refused", "locked_by_review")
    assert stage.as_it_stands(intent).status == IntentStatus.AUTHORIZED


def test_what_does_not_exist_is_refused(stage: Stage) -> None:
    missing = Refused("payments.not_found", "resource_missing")

    assert stage.gateway.retrieve("pi_none") == missing
    assert stage.gateway.retrieve_refund("re_none") == missing
    assert stage.gateway.void(VoidIntent(key=uuid4(), intent_id="pi_none")) == missing
    assert stage.gateway.find_by_reference("O'Brien \\ none") == ()


def test_a_reference_with_quotes_is_found(stage: Stage) -> None:
    stage.reference = f"O'Brien \"{uuid4()}\" \\ AND metadata['x']:'y'"

    intent = stage.created()

    assert stage.gateway.find_by_reference(stage.reference) == (intent,)


def test_the_listing_is_complete_newest_first_and_without_doubles(stage: Stage) -> None:
    made = [stage.created(uuid4()).id for _ in range(7)]

    found: list[str] = []
    after = None
    while len(found) < len(made):
        page = stage.gateway.list_intents(after=after, limit=3)
        assert not isinstance(page, Unavailable)
        found += [one.id for one in page.items if one.reference == stage.reference]
        after = page.next

    assert found == made[::-1]


def test_the_listing_of_refunds_is_complete(stage: Stage) -> None:
    intent = stage.captured()
    made = [stage.a_refund(stage.gateway.refund(stage.refunding(intent, 10))).id for _ in range(5)]

    first = stage.gateway.list_refunds(limit=3)
    assert not isinstance(first, Unavailable)
    second = stage.gateway.list_refunds(after=first.next, limit=3)
    assert not isinstance(second, Unavailable)

    assert [one.id for one in (*first.items, *second.items)][:5] == made[::-1]


def test_until_when_a_hold_lasts_is_told_to_who_looks(stage: Stage) -> None:
    stage.script("authorize", "approve", life_seconds=3600)

    intent = stage.as_it_stands(stage.authorized())

    assert intent.expires_at is not None
    assert timedelta(minutes=59) < intent.expires_at - datetime.now(UTC) <= timedelta(hours=1)


def test_a_hold_is_gone_at_the_end_of_its_life(stage: Stage) -> None:
    stage.script("authorize", "approve", life_seconds=-1)

    intent = stage.as_it_stands(stage.authorized())

    assert (intent.status, intent.capturable_minor) == (IntentStatus.VOIDED, 0)


def test_a_customer_who_is_not_there_cannot_act_so_the_bank_declines(stage: Stage) -> None:
    stage.script("authorize", "require_action")

    answer = stage.gateway.confirm(replace(stage.confirmation(stage.created()), off_session=True))

    assert answer == Refused(base.DECLINED, "authentication_required")
    assert stage.happened("holds") == 0
