"""Doorbells of a web process: rung by a thread, together, after the last of those who asked."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sagas import bell
from tests.waiting import eventually


@pytest.fixture
def web(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a web process."""
    settings.WAYBILL = replace(settings.WAYBILL, role="web")
    bell._ringer.cache_clear()
    yield
    bell._ringer.cache_clear()


def test_who_asks_does_not_wait_for_the_broker(web: None, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, rung = threading.Event(), threading.Event()

    def slowly(names: Collection[str]) -> bool:
        assert answers.wait(timeout=20)
        rung.set()
        return True

    monkeypatch.setattr(bell, "ring_now", slowly)

    assert bell.ring("orders.place_order") is True

    assert not rung.is_set()
    answers.set()
    assert rung.wait(timeout=20)


def test_what_comes_while_it_rings_is_rung_once_after_it(web: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[set[str]] = []
    busy, go_on = threading.Event(), threading.Event()

    def slowly(names: Collection[str]) -> bool:
        rung.append(set(names))
        busy.set()
        return go_on.wait(timeout=20)

    monkeypatch.setattr(bell, "ring_now", slowly)
    bell.ring("orders.place_order")
    assert busy.wait(timeout=20)
    for _ in range(10):
        bell.ring("orders.place_order")
        bell.ring("orders.view", "payments.fulfilment")
    go_on.set()

    assert eventually(lambda: len(rung) == 2)
    assert rung == [{"orders.place_order"}, {"orders.place_order", "orders.view", "payments.fulfilment"}]


def test_a_mistake_silences_no_later_bell(web: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[set[str]] = []

    def stumble(names: Collection[str]) -> bool:
        rung.append(set(names))
        raise RuntimeError("a bug")

    monkeypatch.setattr(bell, "ring_now", stumble)

    bell.ring("orders.place_order")
    assert eventually(lambda: len(rung) == 1)
    bell.ring("orders.view")

    assert eventually(lambda: rung == [{"orders.place_order"}, {"orders.view"}])


def test_several_ring_in_one_round_trip_and_those_that_ring_already_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("sagas.bell.current_app.send_task", lambda name, **_: sent.append(name))
    for name in ("orders.place_order", "orders.view"):
        bell.let_go(name)

    bell.ring("orders.place_order")
    bell.ring("orders.place_order", "orders.view")

    assert sent == ["orders.place_order", "orders.view"]
    for name in ("orders.place_order", "orders.view"):
        bell.let_go(name)
