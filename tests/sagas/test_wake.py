"""News from outside: who waits looks now, who works or is held is left alone, and late successes are undone."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from sagas import bell, operate
from sagas.clock import database_now
from sagas.engine import store
from sagas.engine.wake import Latecomers, at_work, wake_steps
from sagas.ids import uuid7
from sagas.models import Saga, SagaStep
from sagas.tasks import take_up_intents
from sagas.verdicts import Done, Refused, Unavailable, Unknown
from tests.sagas import toys
from tests.sagas.toys import Script

HOLD = ["sagas.hold_money", "sagas.free_money"]


def step(name: str = "sagas.hold_money") -> SagaStep:
    return SagaStep.objects.get(name=name)


def waiting(toy: Script, answer: object) -> Saga:
    """A saga whose money step is to look again later."""
    toy.replies["hold_money"] = [answer]
    toys.start()
    toys.run("open_case")
    return toys.saga()


@pytest.mark.parametrize(
    "answer", [Unknown("bank.no_answer"), Unavailable("bank.down")], ids=["unknown", "later"]
)
def test_a_step_that_would_look_later_looks_now_and_nothing_else_of_it_changes(
    toy: Script, answer: object
) -> None:
    saga = waiting(toy, answer)
    before = step()

    found = wake_steps([saga.pk], HOLD)

    after = step()
    assert found == {saga.pk: "woken"}
    assert before.wake_at is not None
    assert before.wake_at > database_now()
    assert after.wake_at is not None
    assert after.wake_at <= database_now()
    changed = {f.name for f in SagaStep._meta.fields if getattr(after, f.name) != getattr(before, f.name)}
    assert changed == {"wake_at"}


def test_a_step_that_is_due_already_is_not_put_off(toy: Script) -> None:
    saga = waiting(toy, Unknown("bank.no_answer"))
    early = database_now() - timedelta(minutes=1)
    SagaStep.objects.filter(pk=step().pk).update(wake_at=early)

    wake_steps([saga.pk], HOLD)

    assert step().wake_at == early


def test_a_leased_step_is_not_touched(toy: Script) -> None:
    saga = waiting(toy, Unknown("bank.no_answer"))
    until = database_now() + timedelta(minutes=1)
    SagaStep.objects.filter(pk=step().pk).update(lease_until=until, wake_at=until)

    assert wake_steps([saga.pk], HOLD) == {saga.pk: "busy"}
    assert (step().wake_at, step().lease_until) == (until, until)


def test_a_step_that_a_worker_is_just_writing_is_neither_waited_for_nor_touched(toy: Script) -> None:
    saga = waiting(toy, Unknown("bank.no_answer"))
    before, locked, done = step().wake_at, threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            SagaStep.objects.select_for_update().get(pk=step().pk)
            locked.set()
            done.wait(10)
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    locked.wait(10)

    found = wake_steps([saga.pk], HOLD)
    done.set()
    writer.join()

    assert found == {saga.pk: "busy"}
    assert step().wake_at == before


def test_what_a_person_holds_stays_held(toy: Script) -> None:
    saga = waiting(toy, Unknown("bank.no_answer"))
    operate.pause([saga.pk], actor="olga", reason="to look", now=database_now())
    take_up_intents()

    assert wake_steps([saga.pk], HOLD) == {saga.pk: "held"}
    assert at_work([saga.pk], HOLD) == set()
    assert step().wake_at is None


def test_a_saga_without_such_an_open_step_is_left_out_and_many_take_one_statement(
    toy: Script, django_assert_num_queries: object
) -> None:
    done = toys.start("DONE-1")
    toys.settle()
    toy.always["hold_money"] = Unknown("bank.no_answer")
    open_ = toys.start_many([f"A-{n}" for n in range(30)])
    toys.run("open_case")

    with django_assert_num_queries(1):  # type: ignore[operator]
        found = wake_steps([done, uuid7(), *open_], HOLD)

    assert found == dict.fromkeys(open_, "woken")
    assert at_work([done, *open_], HOLD) == set(open_)
    assert wake_steps([], HOLD) == {}


def test_a_bell_rings_after_the_commit_and_only_for_who_was_woken(
    toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    saga = waiting(toy, Unknown("bank.no_answer"))
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", lambda *names: rung.extend(names))

    with transaction.atomic():
        wake_steps([saga.pk], HOLD)
        inside = list(rung)

    assert (inside, rung) == ([], ["sagas.hold_money"])


def tell(saga: Saga, name: str = "sagas.hold_money") -> None:
    with transaction.atomic():
        late = Latecomers({saga.pk})
        late.succeeded(saga.pk, name, Done({"hold_id": "h-1"}))
        late.save()


def test_f75_a_late_success_of_a_refused_step_is_undone_though_the_saga_had_ended(toy: Script) -> None:
    toy.replies["hold_money"] = [Refused("bank.no")]
    toys.start()
    toys.settle()
    ended = toys.saga().state
    toy.asked.clear()

    tell(toys.saga())
    reopened = toys.saga().state
    toys.settle()

    assert (ended, reopened, toys.saga().state) == ("compensated", "compensating", "compensated")
    assert [what for what, _ in toy.asked] == ["free_money"]
    assert step().state == "done"


def test_a_success_told_of_a_saga_that_goes_forward_moves_nothing(toy: Script) -> None:
    toys.start()
    toys.settle()
    before = toys.told()

    tell(toys.saga())
    toys.settle()

    assert (toys.saga().state, toys.told()) == ("completed", before)


def test_a_success_told_of_a_step_still_to_be_done_makes_it_ask_first(toy: Script) -> None:
    saga = waiting(toy, Unavailable("bank.down"))
    toy.asked.clear()

    tell(saga)
    toys.run("hold_money")

    assert [what for what, _ in toy.asked][:1] == ["hold_money?"]
    assert toys.saga().state != "compensated"


def test_a_saga_or_a_step_that_is_not_there_is_passed_over(toy: Script) -> None:
    toys.start()
    toys.settle()

    with transaction.atomic():
        late = Latecomers({toys.saga().pk, uuid7()})
        late.succeeded(uuid7(), "sagas.hold_money", Done())
        late.succeeded(toys.saga().pk, "sagas.nowhere", Done())
        late.save()

    assert late.correlation(toys.saga().pk) == toys.saga().correlation_id
    assert late.correlation(uuid7()) == ""
    assert store.waits("sagas.free_money") is False
