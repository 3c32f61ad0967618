"""F57, F58: a process is killed at every named place of every step. What comes of it is as if it had lived."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from tests.chaos import stages
from tests.chaos.mortal import KILLED, Zygote
from tests.chaos.stages import Outcome, Stage
from tests.scenarios.fulfilment import Fulfilment

LOCAL = ("before_commit", "after_commit")
EXTERNAL = ("after_claim", "before_call", "after_call_before_commit", "after_commit")

#: The steps each stage takes, and at how many places one can die in each.
FORWARD = {
    "orders.place_order": LOCAL,
    "payments.authorize_payment": EXTERNAL,
    "inventory.reserve_stock": LOCAL,
    "shipping.book_shipment": EXTERNAL,
    "payments.capture_payment": EXTERNAL,
    "orders.confirm_order": LOCAL,
}
BACKWARD = {
    "shipping.cancel_shipment": EXTERNAL,
    "inventory.release_reservation": LOCAL,
    "payments.void_authorization": EXTERNAL,
    "orders.cancel_order": LOCAL,
}
CANCELLATION = {
    "orders.begin_cancellation": LOCAL,
    "shipping.withdraw_shipment": EXTERNAL,
    "inventory.withdraw_allocation": LOCAL,
    "payments.refund_payment": EXTERNAL,
    "orders.close_cancellation": LOCAL,
}
RETURN = {
    "orders.receive_return": LOCAL,
    "orders.inspect_return": LOCAL,
    "payments.refund_payment": EXTERNAL,
    "inventory.restock_goods": LOCAL,
    "orders.close_return": LOCAL,
}
PARCELS = {
    "orders.pack_parcel": LOCAL,
    "shipping.book_shipment": EXTERNAL,
    "payments.capture_share": EXTERNAL,
    "orders.ready_parcel": LOCAL,
    "shipping.clear_parcel": LOCAL,
    "shipping.cancel_shipment": EXTERNAL,
    "orders.unpack_parcel": LOCAL,
}
PARCELS_CANCELLED = {
    "orders.hold_parcel": LOCAL,
    "shipping.withdraw_shipment": EXTERNAL,
    "inventory.withdraw_allocation": LOCAL,
    "payments.refund_payment": EXTERNAL,
    "orders.cancel_pieces": LOCAL,
    "payments.release_rest": EXTERNAL,
    "orders.finish_order": LOCAL,
}
REFUND = {"payments.refund_payment": EXTERNAL, "orders.close_refund": LOCAL}
STAGES: dict[Stage, dict[str, tuple[str, ...]]] = {
    stages.every_way: FORWARD | BACKWARD,
    stages.cancelled_before_capture: BACKWARD,
    stages.cancelled_after_capture: CANCELLATION,
    stages.returned: RETURN,
    stages.in_parcels: PARCELS,
    stages.cancelled_in_parcels: PARCELS_CANCELLED,
    stages.refunded: REFUND,
}
#: Where it is worst: done, and not yet written down. The other places are for `make chaos`.
WORST = ("before_commit", "after_call_before_commit")


#: Without a coordinator the first step is done in the commit that places the order, and readers of events can die.
READERS = [f"{app}.fulfilment" for app in ("payments", "inventory", "shipping", "orders")] + [
    "orders.follower"
]
PARTS = {step: places for step, places in FORWARD.items() if step != "orders.place_order"}
CHOREOGRAPHED: dict[Stage, dict[str, tuple[str, ...]]] = {
    stages.every_way: PARTS | BACKWARD | dict.fromkeys(READERS, LOCAL),
    stages.cancelled_before_capture: BACKWARD | dict.fromkeys(READERS, LOCAL),
}
STYLES = {ORCHESTRATION: STAGES, CHOREOGRAPHY: CHOREOGRAPHED}

#: Local steps that follow in the commit of a neighbour, or of the answer that made them due. Only forward, and only
#: with a coordinator: this fulfilment has no two local undos in a row, and parts of a choreography do not run on.
RUNS: dict[Stage, tuple[str, ...]] = {
    stages.every_way: ("inventory.reserve_stock", "orders.confirm_order"),
    stages.cancelled_after_capture: ("inventory.withdraw_allocation", "orders.close_cancellation"),
    stages.returned: ("orders.inspect_return", "inventory.restock_goods", "orders.close_return"),
}
IN_RUNS = [
    pytest.param(ORCHESTRATION, stage, step, id=f"{stage.__name__}-{step}")
    for stage, steps in RUNS.items()
    for step in steps
]


def case(style: str, stage: Stage, step: str, place: str) -> object:
    """One death. Going back alone is also part of the first stage, so its own stage waits for `make chaos`."""
    always = place in WORST and stage is not stages.cancelled_before_capture
    marks = () if always else pytest.mark.chaos
    name = f"{style}-{stage.__name__}-{step}.{place}"
    return pytest.param(style, stage, f"{step}.{place}", id=name, marks=marks)


CASES = [
    case(style, stage, step, place)
    for style, of_style in STYLES.items()
    for stage, steps in of_style.items()
    for step, places in steps.items()
    for place in places
] + [
    # The second round of an authorization: the intent is stored, its confirmation is under way.
    case(style, stages.every_way, "payments.authorize_payment", f"{place}:2")
    for style in STYLES
    for place in ("after_call_before_commit", "after_commit")
]

Undisturbed = Callable[[Stage], dict[str, Outcome]]
_known: dict[tuple[str, Stage], dict[str, Outcome]] = {}


@pytest.fixture
def undisturbed(fulfilment: Fulfilment, zygote: Zygote) -> Undisturbed:
    """How the orders of a stage end when nobody dies; found out once."""

    def run(stage: Stage) -> dict[str, Outcome]:
        what = fulfilment.style, stage
        if what not in _known:
            stage(fulfilment)
            assert zygote.run(stepwise=True) == 0
            _known[what] = stages.outcomes(fulfilment)
            fulfilment.start_over()
        return _known[what]

    return run


def ends_as_undisturbed(
    shop: Fulfilment, zygote: Zygote, undisturbed: Undisturbed, stage: Stage, place: str, *, stepwise: bool
) -> None:
    """A process dies at that place, another comes: as if the first had lived."""
    expected = undisturbed(stage)
    stage(shop)

    died = zygote.run(dies_at=place, stepwise=stepwise)
    rescued = zygote.run()

    assert (died, rescued) == (KILLED, 0)
    assert stages.outcomes(shop) == expected


@pytest.mark.parametrize(("fulfilment", "stage", "place"), CASES, indirect=["fulfilment"])
def test_f57_f58_a_death_at_any_place_changes_nothing_in_the_end(
    fulfilment: Fulfilment, zygote: Zygote, undisturbed: Undisturbed, stage: Stage, place: str
) -> None:
    ends_as_undisturbed(fulfilment, zygote, undisturbed, stage, place, stepwise=True)


@pytest.mark.parametrize(("fulfilment", "stage", "step"), IN_RUNS, indirect=["fulfilment"])
def test_f57_f58_a_death_inside_a_run_of_steps_takes_back_the_whole_run(
    fulfilment: Fulfilment, zygote: Zygote, undisturbed: Undisturbed, stage: Stage, step: str
) -> None:
    ends_as_undisturbed(fulfilment, zygote, undisturbed, stage, f"{step}.in_run", stepwise=False)


def test_the_undisturbed_ends_are_those_of_the_catalogue(fulfilment: Fulfilment, zygote: Zygote) -> None:
    stages.every_way(fulfilment)

    assert zygote.run() == 0

    ends = {reference: outcome.ends for reference, outcome in stages.outcomes(fulfilment).items()}
    assert ends == {
        "GOOD": ("confirmed", "captured", "allocated", "label_bought"),
        "FINE": ("confirmed", "captured", "allocated", "label_bought"),
        "POOR": ("rejected", "declined", None, None),
        "NONE": ("rejected", "voided", None, None),
        "FAR": ("rejected", "voided", "released", "label_failed"),
        "ODD": ("rejected", "voided", "released", "voided"),
    }
    assert fulfilment.stock() == (10, 0, 2)
