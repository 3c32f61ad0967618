"""How batches form by themselves: one order waits for nobody, a crowd shares its costs, a bad apple spoils no other."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from sagas.clock import database_now
from sagas.engine import chains
from sagas.engine.work import work
from sagas.ids import uuid7
from sagas.models import Intent, Pause, Saga, SagaStep
from sagas.sql import rows
from sagas.steps import StepCall
from sagas.verdicts import Done, Refused
from tests.sagas import errands, toys
from tests.sagas.toys import EVERYTHING, Script

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = ["write_list", "fill_bag", "pay", "go_home"]


def begin(count: int, prefix: str = "E") -> None:
    """Start so many errands."""
    for first in range(0, count, 1_000):
        names = [f"{prefix}-{n}" for n in range(first, min(count, first + 1_000))]
        toys.start_many(names, errands.ERRAND.name)


def sizes(toy: Script, step: str) -> list[int]:
    """How large the batches were that a handler got."""
    return [size for name, size in toy.batches if name == step]


def states() -> dict[str, int]:
    return dict(rows("SELECT state, count(*) FROM sagas_saga GROUP BY 1"))


@contextmanager
def commits() -> Iterator[list[int]]:
    """How many transactions of this session wrote something inside the block."""
    found: list[int] = []
    before = rows("SELECT pg_current_xact_id()::text::bigint")[0][0]
    yield found
    found.append(int(rows("SELECT pg_current_xact_id()::text::bigint")[0][0]) - int(before) - 1)


# --- one alone ---------------------------------------------------------------------------------------------


def test_one_order_alone_waits_for_no_company(toy: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(1)

    me = threading.get_ident()

    def watched(wait: Callable[..., Any]) -> Callable[..., Any]:
        def waits(*given: Any, **named: Any) -> Any:
            assert threading.get_ident() != me, "The engine waited."
            return wait(*given, **named)

        return waits

    monkeypatch.setattr(time, "sleep", watched(time.sleep))
    monkeypatch.setattr(threading.Event, "wait", watched(threading.Event.wait))
    monkeypatch.setattr(threading.Condition, "wait", watched(threading.Condition.wait))
    toys.run("write_list")

    assert states() == {"completed": 1}
    assert toy.batches == [(step, 1) for step in STEPS]


def test_one_order_alone_goes_all_its_local_steps_in_one_commit(toy: Script) -> None:
    begin(1)

    with commits() as count:
        toys.run("write_list")

    # The turn's trace, the steps, and the trace goes.
    assert count == [3]
    assert [s.history[0][2:4] for s in SagaStep.objects.order_by("position")] == [["done", ""]] * 4
    assert SagaStep.objects.filter(attempt=1, state="done", verdict="done").count() == 4


def test_a_run_of_steps_is_written_as_steps_one_by_one_are(toy: Script) -> None:
    begin(1, "together")
    toys.run("write_list")
    begin(1, "alone")
    for step in STEPS:
        work(f"sagas.{step}", queues=frozenset(), seconds=5)

    assert written("together-0") == written("alone-0")
    assert len(written("alone-0")) == 4


def written(reference: str) -> list[tuple[Any, ...]]:
    """All of a saga's step rows but for ids and times."""
    return rows(
        """
        SELECT t.position, t.direction, t.name, t.state, t.epoch, t.attempt, t.tries, t.intent_number, t.verdict,
               t.code, t.detail, t.memo, t.result, t.wake_at, t.lease_until, t.worker, t.began_at IS NULL,
               jsonb_array_length(t.history), t.history->0->>2
          FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id WHERE s.reference = %s ORDER BY t.position
        """,
        [reference],
    )


# --- a crowd -----------------------------------------------------------------------------------------------


def test_a_burst_of_ten_thousand_forms_batches_by_itself(toy: Script) -> None:
    begin(10_000)

    work("sagas.write_list", queues=EVERYTHING, seconds=300)

    assert states() == {"completed": 10_000}
    for step in STEPS:
        assert sum(sizes(toy, step)) == 10_000
        assert len(sizes(toy, step)) <= math.ceil(10_000 / settings.WAYBILL.claim_limit) + 1


def test_a_full_batch_commits_after_the_step_that_holds_hot_rows(toy: Script) -> None:
    begin(settings.WAYBILL.small_claim + 1)

    with commits() as count:
        toys.run("write_list")

    # Two turns: begun and ended; the steps up to the hot one, and those behind it.
    assert count == [6]
    assert states() == {"completed": settings.WAYBILL.small_claim + 1}


# --- a slow step -------------------------------------------------------------------------------------------


def test_a_slow_step_does_not_hold_up_other_steps(toy: Script) -> None:
    slow, go_on = threading.Event(), threading.Event()

    def dawdle(_: StepCall) -> Done:
        slow.set()
        assert go_on.wait(60)
        return Done()

    toy.always["pay"] = dawdle
    begin(3, "slow")
    with another_worker(lambda: work("sagas.write_list", queues=EVERYTHING, seconds=60)):
        assert slow.wait(60)
        toy.always.pop("pay")
        begin(5, "quick")
        toys.run("write_list")

        assert Saga.objects.filter(reference__startswith="quick", state="completed").count() == 5
        assert Saga.objects.filter(reference__startswith="slow", state="completed").count() == 0
        go_on.set()

    assert states() == {"completed": 8}


@contextmanager
def another_worker(body: Callable[[], object]) -> Iterator[None]:
    """Run something in another thread, on a database session of its own."""

    def run() -> None:
        try:
            body()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)


# --- one bad apple -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_one_poison_order_of_five_hundred_costs_only_itself(toy: Script, settings: Any, step: str) -> None:
    settings.WAYBILL = with_limit(settings.WAYBILL, 500)
    toy.always[step] = lambda call: 1 / 0 if call.reference == "E-321" else Done()
    begin(500)

    for name in STEPS:
        toys.run(name)

    assert states() == {"completed": 499, "running" if step != "write_list" else "pending": 1}
    assert toys.saga("E-321").hold == "parked"
    assert Saga.objects.filter(hold="parked").count() == 1


def test_poison_is_found_within_as_many_tries_as_halving_takes(toy: Script, settings: Any) -> None:
    settings.WAYBILL = with_limit(settings.WAYBILL, 512)
    failed: list[int] = []

    def poison(call: StepCall) -> Done:
        if call.reference == "E-77":
            failed.append(toy.batches[-1][1])
            raise ZeroDivisionError
        return Done()

    toy.always["write_list"] = poison
    begin(512)

    toys.run("write_list")

    assert failed == [512 // 2**n for n in range(10)]
    assert toys.saga("E-77").hold == "parked"


def with_limit(waybill: Any, limit: int) -> Any:
    from dataclasses import replace

    return replace(waybill, claim_limit=limit)


# --- what may come in between ------------------------------------------------------------------------------


def test_a_run_stops_before_a_step_that_a_person_has_stopped(toy: Script) -> None:
    Pause.objects.create(scope="step", name="sagas.pay", actor="ann", reason="audit", since=database_now())
    begin(2)

    toys.run("write_list")

    assert sizes(toy, "fill_bag") == [2]
    assert sizes(toy, "pay") == []
    assert SagaStep.objects.filter(name="sagas.pay", state="due").count() == 2


def test_an_intent_that_came_before_the_batch_keeps_its_order_from_being_claimed(toy: Script) -> None:
    begin(2)
    Intent.objects.create(
        id=uuid7(), saga=toys.saga("E-0"), kind="cancel", actor="ann", reason="why", made_at=database_now()
    )

    toys.run("write_list")

    assert states() == {"completed": 1, "pending": 1}
    assert toys.saga("E-0").state == "pending"


def test_a_refusal_in_a_run_gives_back_what_the_run_has_done(toy: Script) -> None:
    toy.always["pay"] = lambda call: Refused("shop.closed") if call.reference == "E-1" else Done()
    begin(3)

    toys.run("write_list")
    toys.settle()

    assert states() == {"completed": 2, "compensated": 1}
    assert toys.told("E-1") == ["write_list", "fill_bag", "pay: refused", "empty_bag", "tear_list"]


def test_local_undos_follow_each_other_in_one_commit(toy: Script) -> None:
    toy.always["pay"] = Refused("shop.closed")
    begin(1)
    toys.run("write_list")

    with commits() as count:
        toys.run("empty_bag")

    assert count == [3]
    assert states() == {"compensated": 1}
    assert [name for name, _ in toy.batches[-2:]] == ["empty_bag", "tear_list"]


def test_a_bug_in_an_undo_that_follows_is_found_at_its_own_step(toy: Script) -> None:
    toy.always["pay"] = Refused("shop.closed")
    toy.always["tear_list"] = lambda call: 1 / 0 if call.reference == "E-1" else Done()
    begin(3)
    toys.run("write_list")

    toys.run("empty_bag")
    toys.run("tear_list")

    assert states() == {"compensated": 2, "compensating": 1}
    assert SagaStep.objects.filter(name="sagas.empty_bag", state="done").count() == 3
    assert SagaStep.objects.get(name="sagas.tear_list", state="gave_up").saga == toys.saga("E-1")


def test_a_local_step_follows_in_the_commit_of_an_answer_from_outside(toy: Script) -> None:
    toy.always["hold_money"] = Done({"hold_id": "h"})
    toys.start("A-1")

    with commits() as count:
        toys.run("hold_money") if not toys.run("open_case") else None

    assert toys.saga("A-1").state == "completed"
    # Two turns at open_case and hold_money, one at take_money; claim and answer of two calls; open_case itself.
    assert count == [11]


def test_a_bug_in_a_step_that_follows_an_answer_leaves_the_answer_recorded(toy: Script) -> None:
    toy.always["hold_money"] = Done({"hold_id": "h"})
    toy.always["keep_goods"] = lambda call: 1 / 0 if call.reference == "A-1" else Done()
    toys.start_many(["A-0", "A-1", "A-2"])

    toys.run("open_case")
    toys.run("keep_goods")

    held = {s.saga.reference: (s.state, s.verdict) for s in SagaStep.objects.filter(name="sagas.hold_money")}
    assert held == {f"A-{n}": ("done", "done") for n in range(3)}
    assert toys.saga("A-1").hold_reason == "sagas.keep_goods: bug"
    assert states() == {"completed": 2, "running": 1}
    assert transaction.get_connection().in_atomic_block is False


def test_chains_of_one_way_back_are_sent_one_at_a_time(toy: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(chains, "build", lambda path: Recorder(lambda: sent.append(tuple(path))))
    toy.always["pay"] = Refused("shop.closed")

    for prefix in ("A", "B", "C"):
        begin(1, prefix)
        toys.run("write_list")
    way = ("sagas.empty_bag", "sagas.tear_list")

    assert sent == [way]
    toys.run("empty_bag")
    assert states() == {"compensated": 3}
    begin(1, "D")
    toys.run("write_list")
    assert sent == [way, way]


class Recorder:
    """A chain that is only noted."""

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note

    def apply_async(self, **_: Any) -> None:
        self._note()


def test_a_later_link_with_nothing_to_undo_begins_no_turn(toy: Script) -> None:
    with commits() as count:
        toys.run("tear_list")

    assert count == [0]
