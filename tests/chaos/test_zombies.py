"""F59, F28, F75: a process falls asleep somewhere in a step, others take over, and then it wakes up."""

from __future__ import annotations

import pytest

from tests.chaos import stages
from tests.chaos.mortal import ASLEEP, Zygote
from tests.chaos.test_crash_sweep import STAGES, Undisturbed, undisturbed
from tests.scenarios.fulfilment import Fulfilment

__all__ = ["undisturbed"]

EXTERNAL_STEPS = [
    (stage, step)
    for stage, steps in STAGES.items()
    for step, places in steps.items()
    if "before_call" in places and stage is not stages.cancelled_before_capture
]
CASES = [
    pytest.param(
        stage, f"{step}.{place}", id=f"{step}.{place}",
        marks=() if place == "before_call" and stage is stages.every_way else pytest.mark.chaos,
    )
    for stage, step in EXTERNAL_STEPS
    for place in ("after_claim", "before_call", "after_call_before_commit")
]  # fmt: skip


@pytest.mark.parametrize(("stage", "place"), CASES)
def test_f59_f28_what_a_process_does_after_its_lease_was_taken_over_changes_nothing(
    fulfilment: Fulfilment, zygote: Zygote, undisturbed: Undisturbed, stage: stages.Stage, place: str
) -> None:
    expected = undisturbed(stage)
    stage(fulfilment)

    slept = zygote.fall_asleep(place, stepwise=True)
    others = zygote.run()
    woken = zygote.wake()
    cleared = zygote.run()

    assert (slept, others, woken, cleared) == (ASLEEP, 0, 0, 0)
    assert stages.outcomes(fulfilment) == expected


@pytest.mark.parametrize("place", ["before_call", "after_call_before_commit"])
@pytest.mark.parametrize(
    "step", ["payments.authorize_payment", "shipping.book_shipment", "payments.capture_payment"]
)
def test_f75_f49_a_success_that_comes_after_everything_was_given_back_is_undone(
    fulfilment: Fulfilment, zygote: Zygote, step: str, place: str
) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order("A-1")

    assert zygote.fall_asleep(f"{step}.{place}", stepwise=True) == ASLEEP
    fulfilment.cancel()
    assert zygote.run() == 0
    assert fulfilment.row().state == "cancelled"
    assert zygote.wake() == 0
    assert zygote.run() == 0

    effects = fulfilment.effects()
    assert fulfilment.row().state == "cancelled"
    assert fulfilment.saga().finished_at is not None
    assert effects.get("holds", 0) == effects.get("voids", 0) + effects.get("refunds", 0)
    assert effects.get("captures", 0) == effects.get("refunds", 0)
    assert effects.get("labels", 0) == effects.get("cancellations", 0)
    assert fulfilment.stock() == (10, 0, 0)


@pytest.mark.parametrize("step", ["payments.authorize_payment", "shipping.book_shipment"])
def test_f49_a_cancel_while_a_call_is_out_gives_back_what_the_call_did(
    fulfilment: Fulfilment, zygote: Zygote, step: str
) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order("A-1")

    assert zygote.fall_asleep(f"{step}.after_call_before_commit", stepwise=True) == ASLEEP
    fulfilment.cancel()
    fulfilment.settle_now()
    assert fulfilment.row().state == "cancelling"
    assert zygote.wake() == 0
    fulfilment.settle()

    effects = fulfilment.effects()
    assert fulfilment.row().state == "cancelled"
    assert effects.get("holds", 0) == effects.get("voids", 0)
    assert effects.get("labels", 0) == effects.get("cancellations", 0)
    assert "captures" not in effects
    assert fulfilment.stock() == (10, 0, 0)
