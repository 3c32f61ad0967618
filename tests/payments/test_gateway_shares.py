"""Captures in shares, as every gateway must make them: the fake, the sandbox, and Stripe's official client there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from payments.gateways.base import Intent, IntentStatus, RefundStatus, ReleaseRest
from sagas.verdicts import Refused, Unknown
from tests.payments.gateway_stage import GATEWAYS, Stage, stage_of
from tests.sandbox_process import SandboxProcess, running_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture(params=GATEWAYS)
def stage(request: pytest.FixtureRequest) -> Stage:
    return stage_of(request)


def stands(intent: Intent) -> tuple[str, int, int]:
    """Its status, what was captured of it and what is still held."""
    return intent.status, intent.captured_minor, intent.capturable_minor


def test_f26_shares_are_captured_one_after_the_other_until_nothing_is_held(stage: Stage) -> None:
    intent = stage.held_for_shares()

    first = stage.an_intent(stage.gateway.capture(stage.share(intent, 500)))
    second = stage.an_intent(stage.gateway.capture(stage.share(intent, 400)))
    last = stage.an_intent(stage.gateway.capture(stage.share(intent, 350)))

    assert [stands(one) for one in (first, second, last)] == [
        (IntentStatus.AUTHORIZED, 500, 750), (IntentStatus.AUTHORIZED, 900, 350), (IntentStatus.CAPTURED, 1250, 0),
    ]  # fmt: skip
    assert stage.happened("captures") == 3
    assert stage.happened("voids") == 0


def test_a_share_is_captured_once_per_key(stage: Stage) -> None:
    share = stage.share(stage.held_for_shares(), 500)

    first = stage.an_intent(stage.gateway.capture(share))
    again = stage.an_intent(stage.gateway.capture(share))

    assert stands(first) == stands(again) == (IntentStatus.AUTHORIZED, 500, 750)
    assert stage.happened("captures") == 1


def test_f27_shares_never_exceed_what_is_held(stage: Stage) -> None:
    intent = stage.held_for_shares()
    stage.gateway.capture(stage.share(intent, 900))

    result = stage.gateway.capture(stage.share(intent, 351))

    assert result == Refused("payments.amount_too_large", "amount_too_large")
    assert stands(stage.as_it_stands(intent)) == (IntentStatus.AUTHORIZED, 900, 350)


def test_the_rest_of_a_hold_is_let_go_once_and_what_was_captured_stays(stage: Stage) -> None:
    intent = stage.held_for_shares()
    stage.gateway.capture(stage.share(intent, 500))

    first = stage.an_intent(stage.gateway.release(ReleaseRest(key=uuid4(), intent_id=intent.id)))
    again = stage.an_intent(stage.gateway.release(ReleaseRest(key=uuid4(), intent_id=intent.id)))

    assert stands(first) == stands(again) == (IntentStatus.CAPTURED, 500, 0)
    assert stage.happened("voids") == 1


def test_a_final_share_lets_the_rest_go_with_it(stage: Stage) -> None:
    intent = stage.held_for_shares()
    stage.gateway.capture(stage.share(intent, 500))

    last = stage.an_intent(stage.gateway.capture(stage.share(intent, 400, final=True)))

    assert stands(last) == (IntentStatus.CAPTURED, 900, 0)


def test_f26_a_hold_that_can_be_captured_once_refuses_a_capture_that_is_not_final(stage: Stage) -> None:
    stage.script("authorize", "single_capture")
    intent = stage.held_for_shares()

    result = stage.gateway.capture(stage.share(intent, 500))
    alone = stage.an_intent(stage.gateway.capture(stage.share(intent, 500, final=True)))

    assert isinstance(result, Refused)
    assert result.code == "payments.one_capture_only"
    assert stands(alone) == (IntentStatus.CAPTURED, 500, 0)
    assert stage.happened("captures") == 1


def test_a_hold_that_was_not_asked_for_in_shares_is_captured_once(stage: Stage) -> None:
    intent = stage.authorized()

    result = stage.gateway.capture(stage.share(intent, 500))

    assert isinstance(result, Refused)
    assert result.code == "payments.one_capture_only"
    assert stands(stage.as_it_stands(intent)) == (IntentStatus.AUTHORIZED, 0, 1250)


def test_a_hold_of_which_part_was_captured_can_be_let_go_but_not_voided(stage: Stage) -> None:
    intent = stage.held_for_shares()
    stage.gateway.capture(stage.share(intent, 500))

    result = stage.gateway.void(stage.voiding(intent))

    assert isinstance(result, Refused)
    assert result.code == "payments.already_captured"
    assert stands(stage.as_it_stands(intent)) == (IntentStatus.AUTHORIZED, 500, 750)


def test_a_share_can_be_given_back_while_the_rest_is_still_held(stage: Stage) -> None:
    intent = stage.held_for_shares()
    stage.gateway.capture(stage.share(intent, 500))

    refund = stage.a_refund(stage.gateway.refund(stage.refunding(intent, 500)))
    more = stage.gateway.refund(stage.refunding(intent, 1))

    assert refund.status == RefundStatus.SUCCEEDED
    assert isinstance(more, Refused)
    assert stands(stage.as_it_stands(intent)) == (IntentStatus.AUTHORIZED, 500, 750)


def test_f13_a_share_whose_answer_was_lost_is_seen_by_what_was_captured(stage: Stage) -> None:
    intent = stage.held_for_shares()
    stage.gateway.capture(stage.share(intent, 500))
    stage.script("capture", "do_then_drop")

    lost = stage.gateway.capture(stage.share(intent, 400))

    assert isinstance(lost, Unknown)
    assert stands(stage.as_it_stands(intent)) == (IntentStatus.AUTHORIZED, 900, 350)


def test_f23_f52_a_hold_that_runs_out_after_a_share_keeps_the_share(stage: Stage) -> None:
    stage.script("authorize", "approve", life_seconds=2)
    intent = stage.held_for_shares()
    stage.gateway.capture(stage.share(intent, 500))

    time.sleep(2.1)

    assert stands(stage.as_it_stands(intent)) == (IntentStatus.CAPTURED, 500, 0)
