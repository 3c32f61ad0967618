"""Sagas that turn back: order of undos, undos that fail, late successes, intents against the pivot."""

from __future__ import annotations

from sagas import operate
from sagas.clock import database_now
from sagas.engine import cancel_sagas
from sagas.engine.core import Case
from sagas.models import Intent, Saga, SagaStep
from sagas.steps import NotDone
from sagas.verdicts import Done, Refused, Unavailable, Unknown
from tests.sagas import toys
from tests.sagas.toys import Script


def cancel(reference: str = "A-1") -> None:
    cancel_sagas([toys.saga(reference).pk], actor="shop", reason="changed my mind", now=database_now())


def asked(toy: Script) -> list[str]:
    return [what for what, _ in toy.asked]


def test_a_refusal_gives_everything_back_newest_first(toy: Script) -> None:
    toy.replies["take_money"] = [Refused("bank.no")]
    toys.start()

    toys.settle()

    saga = toys.saga()
    assert (saga.state, saga.cause, saga.cause_code) == ("compensated", "refused", "bank.no")
    assert saga.cause_step == "sagas.take_money"
    assert toys.told() == [
        "open_case", "hold_money", "keep_goods", "take_money: refused", "return_goods", "free_money", "close_case",
    ]  # fmt: skip
    assert asked(toy)[4:] == ["return_goods", "free_money", "close_case"]


def test_the_first_step_refused_leaves_nothing_to_give_back(toy: Script) -> None:
    toy.replies["open_case"] = [Refused("case.no")]
    toys.start()

    toys.settle()

    assert toys.saga().state == "compensated"
    assert asked(toy) == ["open_case"]


def test_an_undo_that_must_be_retried_lets_older_ones_go_on_but_the_first_waits(toy: Script) -> None:
    toy.replies["take_money"] = [Refused("bank.no")]
    toy.replies["return_goods"] = [Unavailable("busy"), Unavailable("busy")]
    toys.start()

    toys.settle()

    assert toys.saga().state == "compensated"
    back = asked(toy)[4:]
    assert back[0] == "return_goods"
    assert back.index("free_money") < len(back) - 1
    assert back[-1] == "close_case"
    assert back.count("return_goods") == 3


def test_an_undo_that_gives_up_parks_the_saga_after_the_others_ran(toy: Script) -> None:
    toy.replies["take_money"] = [Refused("bank.no")]
    toy.always["return_goods"] = Refused("goods.gone")
    toys.start()

    toys.settle()

    saga = toys.saga()
    assert (saga.state, saga.hold) == ("compensating", "parked")
    assert saga.hold_reason == "sagas.return_goods: goods.gone"
    assert "free_money" in asked(toy)
    assert "close_case" not in asked(toy)


def test_after_a_person_skips_the_stuck_undo_the_rest_is_given_back(toy: Script) -> None:
    toy.replies["take_money"] = [Refused("bank.no")]
    toy.always["return_goods"] = Refused("goods.gone")
    toys.start()
    toys.settle()

    operate.skip_step(
        toys.saga().pk, "sagas.return_goods", {}, actor="ann", reason="written off", now=database_now()
    )
    toys.settle()

    assert toys.saga().state == "compensated"
    assert toys.told()[-3:] == ["return_goods: skipped", "free_money", "close_case"]


def test_a_bug_in_an_undo_does_not_stop_the_other_undos(toy: Script) -> None:
    toy.replies["take_money"] = [Refused("bank.no")]
    toy.always["return_goods"] = ZeroDivisionError("oops")
    toys.start()

    toys.settle()

    assert toys.saga().hold == "parked"
    assert "free_money" in asked(toy)


def test_an_unknown_step_is_settled_before_it_is_undone(toy: Script) -> None:
    toy.replies["hold_money"] = [Unknown("dropped")]
    toys.start()
    toys.run("open_case")
    toy.replies["hold_money?"] = [Unknown("still down"), Done({"hold_id": "h"})]

    cancel()
    toys.settle()

    saga = toys.saga()
    assert (saga.state, saga.cause) == ("compensated", "intent")
    assert asked(toy) == ["open_case", "hold_money", "hold_money?", "hold_money?", "free_money", "close_case"]


def test_a_step_proven_not_done_still_gets_its_undo_as_a_tombstone(toy: Script) -> None:
    toy.replies["hold_money"] = [Unknown("dropped")]
    toy.replies["hold_money?"] = [NotDone()]
    toys.start()
    toys.run("open_case")

    cancel()
    toys.settle()

    assert toys.saga().state == "compensated"
    assert toys.told() == ["open_case", "hold_money: dropped", "free_money", "close_case"]


def test_a_cancel_in_the_middle_turns_back_what_was_done(toy: Script) -> None:
    toy.replies["keep_goods"] = [Unavailable("busy")]
    toys.start()
    toys.run("open_case")

    cancel()
    toys.settle()

    assert toys.saga().state == "compensated"
    assert Intent.objects.get().answer == "turned_back"
    assert "take_money" not in asked(toy)


def test_a_cancel_after_completion_becomes_what_the_definition_says(toy: Script) -> None:
    toys.start()
    toys.settle()

    cancel()
    toys.settle()

    assert toys.saga().state == "completed"
    assert toys.late_cancels == ["A-1"]


def test_a_cancel_while_the_pivot_is_unknown_waits_for_its_outcome(toy: Script) -> None:
    toy.replies["take_money"] = [Unknown("dropped")]
    toys.start()
    toys.run("open_case")
    toy.replies["take_money?"] = [Done()]

    cancel()
    toys.settle()

    assert toys.saga().state == "completed"
    assert toys.late_cancels == ["A-1"]
    assert Intent.objects.get().answer == "late"


def test_a_cancel_while_the_pivot_is_unknown_turns_back_when_it_was_not_done(toy: Script) -> None:
    toy.replies["take_money"] = [Unknown("dropped")]
    toys.start()
    toys.run("open_case")
    toy.replies["take_money?"] = [NotDone()]

    cancel()
    toys.settle()

    assert toys.saga().state == "compensated"
    assert toys.late_cancels == []


def test_a_refusal_behind_the_pivot_parks_and_never_turns_back(toy: Script) -> None:
    toy.always["tell_shop"] = Refused("shop.no")
    toys.start()

    toys.settle()

    saga = toys.saga()
    assert (saga.state, saga.hold, saga.hold_reason) == ("running", "parked", "sagas.tell_shop: shop.no")


def test_a_late_success_after_everything_was_given_back_is_undone(toy: Script) -> None:
    toy.replies["hold_money"] = [Refused("bank.no")]
    toys.start()
    toys.settle()
    assert toys.saga().state == "compensated"

    _late(Done({"hold_id": "late"}))
    toys.settle()

    assert toys.saga().state == "compensated"
    assert asked(toy)[-1] == "free_money"
    assert toys.told() == ["open_case", "hold_money", "free_money", "close_case"]


def _late(outcome: Done) -> None:
    """Let a zombie's answer come in: an attempt that is over."""
    from django.db import transaction

    from sagas.definition import plan
    from sagas.engine import store
    from sagas.engine.batch import RNG, commit

    with transaction.atomic():
        now, sagas = store.lock_sagas([toys.saga().pk])
        saga = sagas[toys.saga().pk]
        steps = store.steps_of(sagas)[saga.id]
        row = next(s for s in steps if s.name == "sagas.hold_money")
        planned = plan(saga.definition, saga.version)
        assert now is not None
        assert planned is not None
        case = Case(planned, saga, steps, now=now, rng=RNG)
        case.late_answer(row, outcome)
        commit([case.change()], sagas, now=now)


def test_turning_back_raises_the_epoch_and_pausing_does_not(toy: Script) -> None:
    toy.replies["hold_money"] = [Unavailable("busy")]
    toys.start()
    toys.run("open_case")

    operate.pause([toys.saga().pk], actor="ann", reason="looking", now=database_now())
    toys.settle()
    paused = toys.saga()
    operate.resume([paused.pk], actor="ann", reason="fine", now=database_now())
    cancel()
    toys.settle()

    assert (paused.hold, paused.hold_owner, paused.epoch) == ("paused", "ann", 0)
    assert (toys.saga().state, toys.saga().epoch) == ("compensated", 1)


def test_a_paused_saga_stands_still_until_resumed(toy: Script) -> None:
    toy.replies["hold_money"] = [Unavailable("busy")]
    toys.start()
    toys.run("open_case")
    operate.pause([toys.saga().pk], actor="ann", reason="looking", now=database_now())
    toys.settle()
    before = list(toy.asked)

    toys.settle()
    operate.resume([toys.saga().pk], actor="ann", reason="fine", now=database_now())
    toys.settle()

    assert before == toy.asked[: len(before)]
    assert toys.saga().state == "completed"


def test_a_passed_deadline_turns_back_before_the_pivot(toy: Script) -> None:
    from sagas.keeping.deadlines import deadlines

    toy.always["hold_money"] = Unavailable("busy")
    toys.start()
    toys.run("open_case")
    Saga.objects.update(deadline_at=database_now())

    deadlines(now=database_now())
    toys.settle()

    saga = toys.saga()
    assert (saga.state, saga.cause, saga.cause_code) == ("compensated", "deadline", "deadline_passed")


def test_hundreds_turn_back_in_batches(toy: Script) -> None:
    toy.always["take_money"] = lambda call: Refused("bank.no") if call.reference.endswith("7") else Done()
    toys.start_many([f"A-{n}" for n in range(300)])

    toys.settle()

    assert Saga.objects.filter(state="completed").count() == 270
    assert Saga.objects.filter(state="compensated").count() == 30
    assert sum(1 for name, _ in toy.batches if name == "return_goods") <= 6


def test_nothing_that_is_not_final_stands_still_without_wake_up_lease_or_owner(toy: Script) -> None:
    replies = [Refused("no"), Unavailable("busy"), Unknown("?"), ZeroDivisionError(), Done()]
    for n, what in enumerate(["open_case", "hold_money", "keep_goods", "take_money", "tell_shop"]):
        toy.always[what] = lambda call, n=n: _raise_or(replies[(int(call.reference[2:]) // 5**n) % 5])
    toys.start_many([f"A-{n}" for n in range(0, 3125, 71)])

    toys.settle()

    unfinished = Saga.objects.filter(finished_at__isnull=True)
    silent = [
        s.reference
        for s in unfinished.exclude(hold__in=["parked", "paused"])
        if not SagaStep.objects.filter(saga=s, wake_at__isnull=False).exists()
    ]
    assert silent == []
    assert unfinished.filter(hold="parked", hold_owner="").count() == 0
    assert unfinished.exclude(hold="parked").count() == 0


def _raise_or(reply: object) -> object:
    if isinstance(reply, ZeroDivisionError):
        raise reply
    return reply
