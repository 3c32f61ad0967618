"""Definitions are checked at start-up: what could not be finished is refused in words."""

from __future__ import annotations

import pytest

from sagas.definition import (
    BadDefinition,
    ByHand,
    Parallel,
    SagaDefinition,
    StepSpec,
    check,
    compensatable,
    definitions,
    parallel,
    pivot,
    retriable,
    unregister,
)
from tests.sagas import toys

OPEN, HOLD, KEEP = (compensatable(f"sagas.{name}") for name in ("open_case", "hold_money", "keep_goods"))
TAKE, TELL = pivot("sagas.take_money"), retriable("sagas.tell_shop")


def problems(*steps: StepSpec | Parallel, context: tuple[str, ...] = ()) -> list[str]:
    definition = SagaDefinition("sagas.tried", version=1, steps=list(steps), context=context)
    unregister("sagas.tried")
    return check(definition)


@pytest.mark.parametrize("name", ["sagas.nobody", "sagas.hold_money"])
def test_only_local_steps_let_go_of_what_a_person_has_ended(name: str) -> None:
    by_hand = ByHand(completed=(name,))
    definition = SagaDefinition("sagas.tried", version=1, steps=[OPEN, TELL], by_hand=by_hand)
    unregister("sagas.tried")

    assert f"{name} lets go by hand and is no local step" in check(definition)


def test_the_toy_and_every_definition_of_the_house_can_be_finished() -> None:
    assert toys.TOY in definitions()
    assert {d.name: check(d) for d in definitions()} == {d.name: [] for d in definitions()}


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ((), "has no steps"),
        ((OPEN, OPEN), "names a step twice"),
        ((OPEN, TAKE, pivot("sagas.tell_shop")), "has two pivots"),
        ((TAKE, OPEN), "has a step out of order: compensatable steps, then the pivot, then retriable steps"),
        ((TELL, TAKE), "has a step out of order: compensatable steps, then the pivot, then retriable steps"),
        ((OPEN, parallel(TAKE, HOLD)), "has its pivot in a parallel group"),
        ((compensatable("sagas.nobody"),), "sagas.nobody has no handler"),
        ((compensatable("sagas.tell_shop"),), "sagas.tell_shop is compensatable and declares no undo"),
        ((OPEN, KEEP), "sagas.keep_goods needs hold_id, which nothing before it gives"),
    ],
)
def test_what_could_not_be_finished_is_refused(steps: tuple[StepSpec, ...], problem: str) -> None:
    assert problem in problems(*steps)


def test_what_a_step_needs_may_come_from_an_earlier_step_or_from_the_start() -> None:
    assert problems(OPEN, HOLD, KEEP) == []
    assert problems(OPEN, KEEP, context=("hold_id",)) == []


def test_steps_side_by_side_cannot_need_each_other() -> None:
    assert problems(OPEN, parallel(HOLD, KEEP)) == [
        "sagas.keep_goods needs hold_id, which nothing before it gives"
    ]


def test_a_name_and_version_can_be_taken_once() -> None:
    with pytest.raises(BadDefinition, match="defined twice"):
        SagaDefinition(toys.TOY.name, version=1, steps=[OPEN])
