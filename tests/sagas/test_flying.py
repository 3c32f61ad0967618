"""Answers of calls that are out, a slice at a time: nobody waits for a silent one, and a burst is one slice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from sagas.engine import calling
from sagas.engine.calling import Asked, Flying
from sagas.engine.core import Outcome
from sagas.steps import get_step
from sagas.verdicts import Done

Wait = Callable[..., None]


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> list[Future[Outcome]]:
    """Every call that was made. They come back when a test says so."""
    made: list[Future[Outcome]] = []

    def submit(*_: object) -> Future[Outcome]:
        made.append(Future())
        return made[-1]

    monkeypatch.setattr(calling, "submit", submit)
    return made


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Set how long a slice waits for company, and how large it is at most."""

    def be(seconds: float, slice_of: int = 100) -> None:
        rules = replace(settings.WAYBILL, record_every_seconds=seconds, record_slice=slice_of)
        monkeypatch.setattr(settings, "WAYBILL", rules)

    return be


def flying(calls: int) -> Flying:
    found = Flying(get_step("sagas.hold_money"))
    nothing: Any = None
    found.send(Asked(nothing, nothing, settling=False) for _ in range(calls))
    return found


def test_all_that_came_is_one_slice(out: list[Future[Outcome]], moment: Wait) -> None:
    moment(30)
    calls = flying(3)
    for future in out:
        future.set_result(Done())

    assert len(calls.slice()) == 3
    assert not calls


def test_a_silent_call_holds_up_no_other(out: list[Future[Outcome]], moment: Wait) -> None:
    moment(0.01)
    calls = flying(2)
    out[1].set_result(Done({"n": "2"}))
    first = calls.slice()
    out[0].set_result(Done({"n": "1"}))

    assert [answer.outcome for answer in first] == [Done({"n": "2"})]
    assert [answer.outcome for answer in calls.slice()] == [Done({"n": "1"})]


def test_so_many_are_enough_without_waiting_for_more(out: list[Future[Outcome]], moment: Wait) -> None:
    moment(30, slice_of=2)
    calls = flying(3)
    for future, seconds in zip(out, (0.02, 0.1, 1.0), strict=True):
        threading.Timer(seconds, future.set_result, [Done()]).start()

    assert len(calls.slice()) == 2
    assert len(calls.slice()) == 1


def test_one_that_is_sent_on_comes_back_in_a_later_slice(out: list[Future[Outcome]], moment: Wait) -> None:
    moment(0.01)
    calls = flying(1)
    out[0].set_result(Done())
    again = [answer.asked for answer in calls.slice()]
    calls.send(again)
    threading.Timer(0.05, out[1].set_result, [Done()]).start()

    assert len(calls.slice()) == 1
    assert not calls


def test_a_bug_in_a_thread_leaves_the_outcome_unknown(out: list[Future[Outcome]], moment: Wait) -> None:
    moment(30)
    calls = flying(1)
    out[0].set_exception(ZeroDivisionError("oops"))

    (answer,) = calls.slice()
    assert isinstance(answer.bug, ZeroDivisionError)
    assert answer.outcome.code == "bug"  # type: ignore[union-attr]  # an Unknown


def test_a_probe_is_spared_whatever_it_said(out: list[Future[Outcome]], moment: Wait) -> None:
    moment(30)
    nothing: Any = None
    calls = Flying(get_step("sagas.hold_money"))
    calls.send([Asked(nothing, nothing, settling=False, probing=True)])
    out[0].set_result(Done())  # the app may make an unknown outcome of it when it records it

    assert [answer.spared for answer in calls.slice()] == [True]
