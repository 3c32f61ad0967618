"""Sagas that go forward: verdicts, retries, unknown outcomes, batches."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sagas.clock import database_now
from sagas.models import Saga, SagaStep
from sagas.steps import Continue, NotDone, StepCall
from sagas.verdicts import Done, Unavailable, Unknown, Waiting
from tests.sagas import toys
from tests.sagas.toys import Script

ALL = ["open_case", "hold_money", "keep_goods", "take_money", "tell_shop"]


def test_a_saga_runs_all_its_steps_in_order_and_completes(toy: Script) -> None:
    toys.start()

    toys.run("open_case")

    saga = toys.saga()
    assert (saga.state, saga.hold) == ("completed", "none")
    assert toys.told() == ALL
    assert [what for what, _ in toy.asked] == ALL
    assert saga.finished_at is not None


def test_starting_the_same_reference_twice_starts_it_once(toy: Script) -> None:
    first = toys.start()

    second = toys.start()

    assert first == second
    assert Saga.objects.count() == 1
    assert SagaStep.objects.count() == 1


def test_results_of_a_step_reach_the_steps_that_need_them(toy: Script) -> None:
    seen: list[dict[str, object]] = []

    def keep(call: StepCall) -> Done:
        seen.append(dict(call.input))
        return Done()

    toy.replies["hold_money"] = [Done({"hold_id": "h-7"})]
    toy.replies["keep_goods"] = [keep]
    toys.start()

    toys.run("open_case")

    assert seen == [{"hold_id": "h-7"}]


def test_five_hundred_sagas_share_batches(toy: Script) -> None:
    toys.start_many([f"A-{n}" for n in range(500)])

    toys.run("open_case")

    assert Saga.objects.filter(state="completed").count() == 500
    assert max(size for _, size in toy.batches) == 250
    assert len(toy.asked) == 2500


def test_what_is_unavailable_is_tried_again_from_the_rows(toy: Script) -> None:
    toy.replies["hold_money"] = [Unavailable("busy"), Unavailable("busy")]
    toys.start()

    toys.settle()

    assert toys.saga().state == "completed"
    assert [what for what, _ in toy.asked].count("hold_money") == 3
    step = SagaStep.objects.get(name="sagas.hold_money")
    assert [entry[2] for entry in step.history] == ["unavailable", "unavailable", "done"]


def test_a_step_that_never_works_parks_its_saga_for_a_person(toy: Script) -> None:
    toy.always["hold_money"] = Unavailable("busy")
    toys.start()

    toys.settle()

    saga = toys.saga()
    assert (saga.state, saga.hold, saga.hold_owner) == ("running", "parked", "operations")
    assert saga.hold_reason == "sagas.hold_money: busy after 4 tries"
    assert toys.parked == ["A-1"]
    assert not SagaStep.objects.filter(wake_at__isnull=False).exists()


def test_an_unknown_outcome_is_settled_before_anything_else(toy: Script) -> None:
    toy.replies["hold_money"] = [Unknown("dropped")]
    toy.replies["hold_money?"] = [Done({"hold_id": "h-1"})]
    toys.start()

    toys.settle()

    assert toys.saga().state == "completed"
    assert [w for w, _ in toy.asked][:3] == ["open_case", "hold_money", "hold_money?"]


def test_proven_not_done_begins_a_new_intent_with_a_new_key(toy: Script) -> None:
    keys: list[UUID] = []

    def hold(call: StepCall) -> Unknown | Done:
        keys.append(call.key)
        return Unknown("x") if len(keys) == 1 else Done()

    toy.always["hold_money"] = hold
    toy.replies["hold_money?"] = [NotDone()]
    toys.start()

    toys.settle()

    assert toys.saga().state == "completed"
    assert len(set(keys)) == 2
    assert SagaStep.objects.get(name="sagas.hold_money").intent_number == 2


def test_a_call_that_continues_is_asked_again_with_its_memo(toy: Script) -> None:
    memos = []

    def two_calls(call: object) -> object:
        memos.append(dict(call.memo))  # type: ignore[attr-defined]
        return Continue({"intent_id": "pi_1"}) if len(memos) == 1 else Done()

    toy.always["hold_money"] = two_calls
    toys.start()

    toys.run("open_case")

    assert memos == [{}, {"intent_id": "pi_1"}]
    assert SagaStep.objects.get(name="sagas.hold_money").memo == {"intent_id": "pi_1"}
    assert toys.saga().state == "completed"


def test_waiting_holds_the_saga_with_a_wake_up_time(toy: Script) -> None:
    until = database_now() + timedelta(minutes=5)
    toy.replies["hold_money"] = [Waiting("customer", until)]
    toys.start()

    toys.run("open_case")

    saga = toys.saga()
    assert (saga.state, saga.hold, saga.hold_reason) == ("running", "waiting", "customer")
    assert SagaStep.objects.get(name="sagas.hold_money").wake_at == until


def test_one_bad_apple_is_parked_and_the_rest_of_its_batch_goes_on(toy: Script) -> None:
    toy.always["keep_goods"] = lambda call: 1 / 0 if call.reference == "A-77" else Done()
    toys.start_many([f"A-{n}" for n in range(100)])

    toys.settle()

    assert Saga.objects.filter(state="completed").count() == 99
    bad = toys.saga("A-77")
    assert (bad.hold, bad.hold_reason) == ("parked", "sagas.keep_goods: bug")
    tries = [size for name, size in toy.batches if name == "keep_goods"]
    assert len(tries) < 25


def test_a_bug_in_a_thread_parks_that_saga_with_its_outcome_unknown(toy: Script) -> None:
    toy.always["hold_money"] = lambda call: 1 / 0 if call.reference == "A-2" else Done()
    toys.start_many(["A-1", "A-2", "A-3"])

    toys.settle()

    assert Saga.objects.filter(state="completed").count() == 2
    assert toys.saga("A-2").hold == "parked"
    assert SagaStep.objects.get(name="sagas.hold_money", saga__reference="A-2").verdict == "unknown"


def test_parallel_steps_all_end_before_the_next_stage(toy: Script) -> None:
    toys.start(definition="sagas.pair")

    toys.settle()

    assert toys.saga().state == "completed"
    assert [w for w, _ in toy.asked][-1] == "tell_shop"
    assert {w for w, _ in toy.asked[1:3]} == {"hold_money", "keep_goods"}
