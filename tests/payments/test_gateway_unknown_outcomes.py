"""What every gateway promises when an answer is lost, late or a 5xx: on every gateway."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from payments.gateways.base import (
    CaptureIntent,
    ConfirmIntent,
    IntentStatus,
    RefundStatus,
)
from sagas.verdicts import Unavailable, Unknown
from tests.payments.gateway_stage import GATEWAYS, Stage, stage_of
from tests.sandbox_process import SandboxProcess, running_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture(params=GATEWAYS)
def stage(request: pytest.FixtureRequest) -> Stage:
    return stage_of(request)


def test_f13_done_but_the_line_broke_is_unknown_and_retrieve_tells(stage: Stage) -> None:
    stage.script("authorize", "do_then_drop")
    intent = stage.created()

    result = stage.gateway.confirm(stage.confirmation(intent))

    assert isinstance(result, Unknown)
    assert result.code == "payments.no_answer"
    assert stage.as_it_stands(intent).status == IntentStatus.AUTHORIZED
    again = stage.an_intent(stage.gateway.confirm(stage.confirmation(intent)))
    assert again.status == IntentStatus.AUTHORIZED
    assert stage.happened("holds") == 1


def test_f13_not_done_and_the_line_broke_is_unknown_and_retrieve_tells(stage: Stage) -> None:
    stage.script("authorize", "drop")
    intent = stage.created()

    result = stage.gateway.confirm(stage.confirmation(intent))

    assert isinstance(result, Unknown)
    assert stage.as_it_stands(intent).status == IntentStatus.UNCONFIRMED
    again = stage.an_intent(stage.gateway.confirm(ConfirmIntent(key=uuid4(), intent_id=intent.id)))
    assert again.status == IntentStatus.AUTHORIZED
    assert stage.happened("holds") == 1


@pytest.mark.parametrize("operation", ["capture", "void"])
@pytest.mark.parametrize("action", ["do_then_drop", "drop"])
def test_f13_a_lost_answer_is_repeated_with_one_effect(stage: Stage, operation: str, action: str) -> None:
    stage.script(operation, action)
    intent = stage.authorized()

    def act() -> object:
        if operation == "void":
            return stage.gateway.void(stage.voiding(intent))
        return stage.gateway.capture(CaptureIntent(key=stage.key, intent_id=intent.id, amount_minor=1250))

    assert isinstance(act(), Unknown)
    assert stage.an_intent(act()) == stage.as_it_stands(intent)
    assert stage.happened(f"{operation}s") == 1


def test_f14_a_500_after_the_work_is_unknown_also_on_repeat_and_retrieve_tells(stage: Stage) -> None:
    stage.script("authorize", "do_then_5xx", status=500)
    intent = stage.created()

    first = stage.gateway.confirm(stage.confirmation(intent))
    again = stage.gateway.confirm(stage.confirmation(intent))

    assert first == again == Unknown("payments.provider_failed", "500")
    assert stage.as_it_stands(intent).status == IntentStatus.AUTHORIZED
    assert stage.happened("holds") == 1


def test_f14_a_502_after_the_work_is_unknown_and_the_repeat_gets_the_answer(stage: Stage) -> None:
    stage.script("capture", "do_then_5xx", status=502)
    intent = stage.authorized()
    request = CaptureIntent(key=stage.key, intent_id=intent.id, amount_minor=1250)

    first = stage.gateway.capture(request)
    again = stage.an_intent(stage.gateway.capture(request))

    assert first == Unknown("payments.provider_failed", "502")
    assert again.status == IntentStatus.CAPTURED
    assert stage.happened("captures") == 1


def test_f32_a_refund_of_unknown_outcome_is_found_by_its_key(stage: Stage) -> None:
    stage.script("refund", "do_then_drop")
    intent, key = stage.captured(), uuid4()

    result = stage.gateway.refund(stage.refunding(intent, 500, key))

    assert isinstance(result, Unknown)
    refunds = stage.gateway.refunds_of(intent.id)
    assert isinstance(refunds, tuple)
    assert [(one.key, one.amount_minor, one.status) for one in refunds] == [
        (str(key), 500, RefundStatus.SUCCEEDED)
    ]
    assert stage.happened("refunds") == 1


@pytest.mark.parametrize(
    ("action", "code"),
    [("rate_limit", "payments.provider_throttled"), ("unavailable", "payments.provider_down")],
)
def test_f16_not_now_is_unavailable_and_nothing_was_done(stage: Stage, action: str, code: str) -> None:
    stage.script("authorize", action, times=2)
    intent = stage.created()

    results = [stage.gateway.confirm(stage.confirmation(intent)) for _ in range(3)]

    assert [getattr(result, "code", "") for result in results[:2]] == [code, code]
    assert all(isinstance(result, Unavailable) for result in results[:2])
    assert stage.an_intent(results[2]).status == IntentStatus.AUTHORIZED
    assert stage.happened("holds") == 1
