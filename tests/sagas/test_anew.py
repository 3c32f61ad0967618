"""A step that waits is asked anew when what it goes by was corrected; one that is out or over is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from sagas import definition, operate
from sagas.clock import database_now
from sagas.definition import SagaDefinition, compensatable, retriable
from sagas.engine import Anew, StartSaga, start_sagas
from sagas.ids import operation_key, uuid7
from sagas.models import Saga, SagaStep
from sagas.sql import execute
from sagas.tasks import take_up_intents
from sagas.verdicts import Refused, Unavailable, Unknown, Waiting
from tests.sagas import toys
from tests.sagas.toys import Script

HOLD = "sagas.hold_money"
NAME = "sagas.patient"
told: list[tuple[str, str]] = []


@pytest.fixture(autouse=True)
def patient(toy: Script) -> Iterator[None]:
    """A definition that is started with a colour, hears of waits, and has an hour."""
    told.clear()
    SagaDefinition(
        NAME,
        version=1,
        steps=[compensatable("sagas.open_case"), compensatable(HOLD), retriable("sagas.tell_shop")],
        context=("colour",),
        deadline=timedelta(hours=1),
        waits=lambda notes, _now: told.extend((n.reference, n.reason) for n in notes),
    )
    yield
    definition.unregister(NAME)


def start() -> Saga:
    begun = StartSaga(
        definition=NAME,
        reference="A-1",
        shop_id=toys.SHOP,
        subject_id=uuid7(),
        label="A-1",
        context={"colour": "red"},
    )
    return Saga.objects.get(pk=start_sagas([begun], now=database_now())[0])


def standing(toy: Script, *answers: object) -> Saga:
    """A saga whose money step has given these answers."""
    toy.replies["hold_money"] = list(answers)
    start()
    toys.run("open_case")
    return toys.saga()


def step() -> SagaStep:
    return SagaStep.objects.get(name=HOLD)


def far() -> datetime:
    return database_now() + timedelta(days=2)


def anew(saga: Saga, **facts: str) -> str:
    """Correct it if it is in time; how it stood."""
    with transaction.atomic():
        found = Anew(saga.pk, HOLD)
        if (how := found.standing) in ("waits", "early"):
            found.begin(facts)
        return how


def test_a_step_that_waits_asks_again_with_a_new_key_and_what_was_corrected(toy: Script) -> None:
    saga = standing(toy, Waiting("colour", far()))
    before = step()

    how = anew(saga, colour="blue")

    after = step()
    assert how == "waits"
    assert after.key == operation_key(saga.shop_id, saga.reference, HOLD, 2) != before.key
    assert (after.intent_number, after.tries, after.verdict) == (2, 0, "")
    assert after.wake_at is not None
    assert after.wake_at <= database_now()
    toys.settle()
    saga.refresh_from_db()
    assert (saga.state, saga.hold, saga.context["colour"]) == ("completed", "none", "blue")
    assert toy.asked.count(("hold_money", "A-1")) == 2
    assert [entry[2] for entry in after.history] == ["waiting", "anew"]


def test_its_bell_rings_after_the_commit(toy: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    saga = standing(toy, Waiting("colour", far()))
    monkeypatch.setattr("sagas.bell.ring", lambda *names: rung.extend(names))

    anew(saga)

    assert rung == [HOLD]


def test_one_that_was_put_off_asks_with_a_new_key_too(toy: Script) -> None:
    saga = standing(toy, Unavailable("bank.down"))

    assert anew(saga) == "waits"
    assert step().intent_number == 2


def test_one_that_has_not_asked_yet_only_learns_what_is_right(toy: Script) -> None:
    saga = start()

    assert anew(saga, colour="blue") == "early"

    saga.refresh_from_db()
    assert saga.context == {"colour": "blue"}
    assert not SagaStep.objects.filter(name=HOLD).exists()


@pytest.mark.parametrize(
    "answer", [Unknown("bank.no_answer"), Unavailable("bank.down")], ids=["unknown", "out"]
)
def test_one_whose_outcome_is_not_known_is_left_alone(toy: Script, answer: object) -> None:
    saga = standing(toy, answer)
    if isinstance(answer, Unavailable):
        until = database_now() + timedelta(minutes=1)
        SagaStep.objects.filter(pk=step().pk).update(lease_until=until, wake_at=until)
    before = SagaStep.objects.filter(name=HOLD).values().get()

    assert anew(saga, colour="blue") == "busy"

    assert SagaStep.objects.filter(name=HOLD).values().get() == before
    saga.refresh_from_db()
    assert saga.context == {"colour": "red"}


@pytest.mark.parametrize("answers", [[], [Refused("no_money")]], ids=["done", "refused"])
def test_one_that_is_over_is_left_alone(toy: Script, answers: list[object]) -> None:
    saga = standing(toy, *answers)
    toys.settle()

    assert anew(saga, colour="blue") == "over"
    assert anew(Saga(id=uuid7())) == "over"


def test_what_is_no_more_in_time_cannot_be_begun(toy: Script) -> None:
    saga = standing(toy)
    toys.settle()

    with pytest.raises(ValueError, match=f"{HOLD} is over"), transaction.atomic():
        Anew(saga.pk, HOLD).begin({})


def test_facts_that_the_definition_does_not_start_with_are_refused(toy: Script) -> None:
    saga = standing(toy, Waiting("colour", far()))

    with pytest.raises(ValueError, match="does not start with"):
        anew(saga, smell="fresh")


def test_a_saga_that_is_parked_stays_so_and_asks_anew_when_it_goes_on(toy: Script) -> None:
    saga = standing(toy, *[Unavailable("bank.down")] * 4)
    toys.settle()

    assert anew(saga) == "waits"

    saga.refresh_from_db()
    assert (saga.hold, step().wake_at, step().intent_number) == ("parked", None, 2)
    operate.act("retry", [saga.pk], actor="olga", reason="it is right now", now=database_now())
    toys.settle()
    saga.refresh_from_db()
    assert saga.state == "completed"


def test_a_saga_that_is_paused_stays_so(toy: Script) -> None:
    saga = standing(toy, Waiting("colour", far()))
    operate.pause([saga.pk], actor="olga", reason="wait", now=database_now())
    take_up_intents()

    anew(saga)

    saga.refresh_from_db()
    assert (saga.hold, step().wake_at) == ("paused", None)


# --- what a wait for a person means for its saga --------------------------------------------------------------


def test_a_definition_hears_once_of_a_saga_that_begins_to_wait(toy: Script) -> None:
    saga = standing(toy, Waiting("colour", database_now()), Waiting("colour", far()))
    toys.settle()
    assert told == [("A-1", "colour")]

    toy.replies["hold_money"] = [Waiting("colour", far())]
    anew(saga)
    toys.settle()

    assert told == [("A-1", "colour")] * 2


def test_a_saga_does_not_turn_back_before_the_time_that_somebody_was_promised(toy: Script) -> None:
    promised = far()
    saga = standing(toy, Waiting("colour", promised, promised=promised))

    saga.refresh_from_db()

    assert saga.deadline_at == promised + timedelta(hours=1)


def test_a_wait_that_promises_nothing_leaves_the_deadline_where_it_was(toy: Script) -> None:
    before = start().deadline_at
    toy.replies["hold_money"] = [Waiting("colour", far())]

    toys.run("open_case")

    assert toys.saga().deadline_at == before


def test_a_promise_never_brings_the_deadline_nearer(toy: Script) -> None:
    now = database_now()
    saga = standing(toy, Waiting("colour", now, promised=now))
    execute("UPDATE sagas_saga SET deadline_at = %s", [now + timedelta(days=9)])
    toy.replies["hold_money"] = [Waiting("colour", far(), promised=far())]

    toys.settle()

    saga.refresh_from_db()
    assert saga.deadline_at == now + timedelta(days=9)
