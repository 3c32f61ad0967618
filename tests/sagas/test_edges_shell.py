"""The shell around the rules: bells, bad apples among intents, doubt about lost calls, loops that fail, deaths."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from sagas import bell, definition, operate, turns
from sagas.bus import subscriptions
from sagas.clock import database_now, travel
from sagas.definition import SagaDefinition, check, compensatable, parallel, retriable
from sagas.engine import cancel_sagas, local, work
from sagas.engine.intents import take_up
from sagas.keeping import deadlines, relay, rescue, sweep
from sagas.models import Death, Intent, Saga, SagaStep, Turn
from sagas.sql import execute
from sagas.steps import get_step
from sagas.tasks import take_up_intents
from sagas.verdicts import Unavailable, Unknown
from tests.sagas import toys
from tests.sagas.toys import Script


def ask(references: list[str], kind: str = "cancel") -> None:
    ids = [toys.saga(r).pk for r in references]
    operate.act(kind, ids, actor="ann", reason="because", now=database_now())


# --- intents -----------------------------------------------------------------------------------------------


def test_an_intent_that_cannot_be_taken_up_is_refused_and_the_others_go_on(
    toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.start_many([f"A-{n}" for n in range(8)])
    toys.settle()

    def late_cancel(notes: Any, now: Any) -> None:
        if any(n.reference == "A-3" for n in notes):
            raise KeyError("A-3")
        toys.late_cancels.extend(n.reference for n in notes)

    broken = definition.plan("sagas.toy", 1)
    assert broken is not None
    monkeypatch.setitem(broken.definition.__dict__, "late_cancel", late_cancel)
    ask([f"A-{n}" for n in range(8)])

    take_up_intents()

    assert sorted(toys.late_cancels) == [f"A-{n}" for n in range(8) if n != 3]
    refused = Intent.objects.get(saga__reference="A-3")
    assert (refused.state, refused.answer) == ("refused", "bug")
    assert Intent.objects.filter(state="new").count() == 0


def test_intents_beyond_one_batch_are_taken_up_although_nothing_became_due(toy: Script) -> None:
    toys.start_many([f"A-{n}" for n in range(450)])
    ask([f"A-{n}" for n in range(450)], "pause")

    take_up_intents()

    assert Intent.objects.filter(state="new").count() == 0


# --- doubt -------------------------------------------------------------------------------------------------


def test_a_call_that_was_lost_stays_unknown_although_the_database_is_busy_when_it_is_taken_over(
    toy: Script,
) -> None:
    toys.start()
    toys.run("open_case")
    SagaStep.objects.filter(name="sagas.tell_shop").delete()
    past = database_now() - timedelta(seconds=1)
    execute(
        "UPDATE sagas_saga SET state = 'running', finished_at = NULL, stage = 3 WHERE id = %s",
        [toys.saga().pk],
    )
    SagaStep.objects.filter(name="sagas.take_money").update(
        state="due", finished_at=None, verdict="", lease_until=past, wake_at=past, worker="dead:1"
    )
    row = SagaStep.objects.get(name="sagas.take_money")

    local.park(get_step("sagas.take_money"), row.pk, OperationalError("lock timeout"))
    cancel_sagas([toys.saga().pk], actor="shop", reason="late", now=database_now())
    take_up()

    row.refresh_from_db()
    assert row.verdict == "unknown"
    assert toys.saga().state == "running"
    assert Intent.objects.get().state == "deferred"


# --- bells -------------------------------------------------------------------------------------------------


def test_no_bell_is_left_held_after_the_last_look(toy: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.start("A-1")
    let_go = bell.let_go
    late = iter(["A-2"])

    def let_go_and_start_another(name: str) -> None:
        let_go(name)
        if name == "sagas.open_case" and (reference := next(late, None)):
            toys.start(reference)

    monkeypatch.setattr(bell, "let_go", let_go_and_start_another)

    toys.run("open_case")

    assert toys.saga("A-2").state == "completed"
    assert bell._bells().get("waybill:bell:sagas.open_case") is None


def test_a_worker_that_fails_lets_go_of_its_bell(toy: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(work, "_run", fails)

    with pytest.raises(OperationalError):
        toys.run("open_case")

    assert bell._bells().get("waybill:bell:sagas.open_case") is None


def test_the_bell_of_a_turn_that_died_is_let_go(toy: Script) -> None:
    bell.hold("sagas.open_case")
    Turn.objects.create(
        name="sagas.open_case", cap=8, worker="dead:1", backend_pid=1, backend_start=database_now(),
        began_at=database_now(),
    )  # fmt: skip

    assert rescue.rescue(now=database_now()) == 1

    assert bell._bells().get("waybill:bell:sagas.open_case") is None


# --- loops -------------------------------------------------------------------------------------------------


def test_a_step_that_fails_in_the_sweep_does_not_keep_it_from_the_others(
    toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.start_many(["A-1"])
    toys.start("B-1", "sagas.pair")
    toys.run("open_case")
    done: list[str] = []

    def working(name: str, **_: Any) -> int:
        done.append(name)
        raise OperationalError("busy")

    monkeypatch.setattr(sweep, "due_steps", lambda: [("a", timedelta(60)), ("b", timedelta(60))])
    monkeypatch.setattr(sweep, "work", working)

    assert sweep.sweep(now=database_now()) == 0
    assert done == ["a", "b"]


def test_a_subscription_that_fails_in_the_relay_does_not_keep_it_from_the_others(
    toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def failing(sub: Any, *_: Any) -> int:
        seen.append(sub.name)
        raise OperationalError("busy")

    monkeypatch.setattr(relay, "_relay", failing)

    relay.relay(now=database_now())

    assert len(seen) == sum(s.shards for s in subscriptions() if not s.wanted_by)


# --- deaths ------------------------------------------------------------------------------------------------


def test_after_a_death_batches_grow_again_only_when_what_was_lost_has_come_back(toy: Script) -> None:
    now = database_now()
    Turn.objects.create(
        name="sagas.hold_money", cap=250, worker="dead:1", backend_pid=1, backend_start=now, began_at=now
    )
    with turns.turn("sagas.hold_money", full=250, patience=timedelta(seconds=60)) as first:
        first.survived()
        kept = Death.objects.get().cap
    travel(61)
    with turns.turn("sagas.hold_money", full=250, patience=timedelta(seconds=60)) as second:
        second.survived()

    assert (first.cap, kept) == (125, 125)
    assert not Death.objects.exists()
    assert second.cap == 250


# --- definitions -------------------------------------------------------------------------------------------


def test_two_steps_that_share_an_undo_are_refused() -> None:
    shared = SagaDefinition(
        "sagas.shared", 1, [compensatable("sagas.open_case"), compensatable("sagas.open_case")]
    )
    definition.unregister("sagas.shared")

    assert "sagas.close_case undoes two steps" in check(shared)


def test_a_group_of_steps_that_can_and_cannot_be_given_back_is_refused() -> None:
    mixed = SagaDefinition(
        "sagas.mixed", 1, [parallel(compensatable("sagas.open_case"), retriable("sagas.tell_shop"))]
    )
    definition.unregister("sagas.mixed")

    assert "has a parallel group of which only a part can be given back" in check(mixed)


# --- deadlines ---------------------------------------------------------------------------------------------


def test_sagas_whose_pivot_is_out_do_not_keep_deadlines_from_the_others(
    toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "LIMIT", 2)
    toy.always["take_money"] = Unknown("dropped")
    toys.start_many([f"A-{n}" for n in range(5)])
    toys.run("open_case")
    toy.always["hold_money"] = Unavailable("busy")
    toys.start("B-1")
    toys.run("open_case")
    past = database_now() - timedelta(minutes=1)
    Saga.objects.update(deadline_at=past - timedelta(minutes=1))
    Saga.objects.filter(reference="B-1").update(deadline_at=past)

    assert deadlines.deadlines(now=database_now()) == 1

    assert toys.saga("B-1").state == "compensating"
    assert {toys.saga(f"A-{n}").state for n in range(5)} == {"running"}
