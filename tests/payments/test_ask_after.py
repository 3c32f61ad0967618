"""F20: nothing was told. What stayed unfinished is found and asked about, in growing intervals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from payments.commands import findings
from payments.gateways.base import IntentStatus
from payments.loops import ask_after, patrol
from payments.models import Payment, Refund, Watch
from sagas.clock import database_now
from tests.payments.till import Till

State = Payment.State


@pytest.fixture
def now() -> datetime:
    """Ids are made by the real clock, so time is counted from there."""
    return database_now()


def look(now: datetime) -> int:
    """One pass of both loops."""
    patrol(now=now)
    return ask_after(now=now)


def test_f20_a_hold_that_ran_out_unheard_is_found(till: Till, now: datetime) -> None:
    till.authorize("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.VOIDED, capturable_minor=0)

    young = look(now + timedelta(minutes=14))
    old = look(now + timedelta(minutes=16))

    assert (young, old) == (0, 1)
    assert till.payment("A-1").state == State.EXPIRED
    assert till.entries("A-1") == ["authorization", "release"]


def test_f20_an_authorization_whose_answer_was_lost_for_good_is_found(till: Till, now: datetime) -> None:
    till.gateway.script("authorize", "A-1", "do_then_drop")
    till.authorize("A-1")

    look(now + timedelta(minutes=16))

    assert till.payment("A-1").state == State.AUTHORIZED
    assert till.gateway.effects("A-1") == {"holds": 1}


def test_f20_a_refund_whose_answer_was_lost_for_good_is_found(till: Till, now: datetime) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", "do_then_drop")
    till.refund("A-1/C-1", refund=400)

    look(now + timedelta(minutes=16))

    assert till.refund_row("A-1/C-1").state == Refund.State.SUCCEEDED
    assert till.payment("A-1").refunded_minor == 400
    assert till.gateway.effects("A-1")["refunds"] == 1


def test_one_that_cannot_be_written_down_does_not_hold_up_the_others(
    till: Till, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("A-1", "A-2", "A-3"):
        till.authorize(name)
        till.gateway.happen(till.payment(name).provider_id, status=IntentStatus.VOIDED, capturable_minor=0)
    honest, poor = findings.record_findings, till.payment("A-2").saga_id

    def record(found: Sequence[findings.Finding], *, now: datetime) -> list[str]:
        if any(one.saga_id == poor for one in found):
            raise RuntimeError("a bug")
        return honest(found, now=now)

    monkeypatch.setattr(findings, "record_findings", record)

    look(now + timedelta(minutes=16))

    states = [till.payment(name).state for name in ("A-1", "A-2", "A-3")]
    assert states == [State.EXPIRED, State.AUTHORIZED, State.EXPIRED]


def test_what_has_ended_is_not_watched_and_nobody_is_asked(till: Till, now: datetime) -> None:
    till.captured("A-1")
    till.authorize("B-1")
    till.void("B-1")
    till.refund("A-1/C-1", refund=400)

    asked = look(now + timedelta(days=3))

    assert (asked, Watch.objects.count()) == (0, 0)


def test_what_stays_open_is_asked_about_less_and_less_often_and_forgotten_when_it_ends(
    till: Till, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.authorize("A-1")
    asked: list[datetime] = []
    honest, at = till.gateway.retrieve, now

    def retrieve(intent_id: str, *, correlation_id: str = "") -> object:
        asked.append(at)
        return honest(intent_id, correlation_id=correlation_id)

    monkeypatch.setattr(till.gateway, "retrieve", retrieve)
    for _ in range(4 * 24 * 3):
        at += timedelta(minutes=15, seconds=1)
        look(at)
    till.capture("A-1")
    at += timedelta(days=2)
    look(at)

    gaps = [round((b - a).total_seconds() / 900) for a, b in pairwise(asked)]
    assert gaps[:5] == [1, 2, 4, 8, 16]
    assert len(asked) < 12
    assert Watch.objects.count() == 0


def test_f73_many_passes_at_once_see_each_row_once_and_catch_up_in_bounded_batches(
    till: Till, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payments.loops.LOOK_THROUGH", 3)
    for number in range(8):
        till.authorize(f"A-{number}")
    later = now + timedelta(hours=1)

    passes = [patrol(now=later) for _ in range(4)]

    assert passes == [3, 3, 2, 0]
    assert Watch.objects.count() == 8
