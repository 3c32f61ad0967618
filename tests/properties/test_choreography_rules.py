"""Properties of a choreography: whatever is refused, lost, late, doubled or swapped, all is done or nothing is."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagas.engine import asked as intents
from sagas.engine.asked import Asked
from sagas.engine.part import PATIENCE
from sagas.ids import uuid7
from sagas.verdicts import Unavailable
from tests.properties.stage import EVERYTHING, READERS, Stage

VERDICTS = [
    "done", "refused", "unavailable", "unknown_done", "unknown_not_done", "killed", "lost", "lost_refused", "paused",
    "waiting", "bug",
]  # fmt: skip
Act = tuple[str, int, str]

ACTS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 3), st.sampled_from([*VERDICTS, *["done"] * 6])),
    st.tuples(st.just("deliver"), st.integers(1, 3), st.sampled_from(list(READERS))),
    st.tuples(st.just("deliver"), st.integers(1, 3), st.sampled_from(list(READERS))),
    st.tuples(st.just("again"), st.integers(1, 3), st.sampled_from(list(READERS))),
    st.tuples(st.just("swap"), st.just(0), st.sampled_from(list(READERS))),
    st.tuples(st.just("late"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from([0, 5, 61, 1000]), st.just("")),
    st.tuples(st.just("cancel"), st.just(0), st.just("")),
    st.tuples(st.just("take_up"), st.just(0), st.just("")),
    st.tuples(st.just("ask"), st.just(0), st.sampled_from(["retry", "pause", "resume", "turn_back"])),
    st.tuples(st.just("round"), st.just(0), st.just("")),
)
HISTORIES = st.lists(ACTS, max_size=60)
often = settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def play(acts: list[Act]) -> Stage:
    """Live through a history; at no moment is the saga silently stuck."""
    stage = Stage()
    for what, number, how in acts:
        _act(stage, what, number, how)
        assert not _silent(stage), (stage.saga, list(stage.rows.values()))
    return stage


def _act(stage: Stage, what: str, number: int, how: str) -> None:
    due, late = stage.due(), stage.flights
    match what:
        case "run" if due:
            stage.run(due[number % len(due)], how)
        case "late" if late:
            stage.wake(late[number % len(late)])
        case "deliver" | "again":
            stage.deliver(how, number, again=what == "again")
        case "swap":
            stage.swap(how)
        case "wait":
            stage.now += timedelta(seconds=number)
        case "cancel":
            stage.cancel()
        case "take_up":
            stage.take_up()
        case "ask":
            stage.ask(how)
        case "round":
            stage.round()


def _silent(stage: Stage) -> bool:
    saga = stage.saga
    if saga.state in ("completed", "compensated") or saga.hold in ("parked", "paused"):
        return False
    return saga.deadline_at is None


@often
@given(HISTORIES)
def test_all_of_it_is_done_or_all_of_it_is_given_back(acts: list[Act]) -> None:
    stage = play(acts)

    stage.settle()

    if stage.order == "confirmed":
        assert (stage.saga.state, stage.live) == ("completed", EVERYTHING)
    else:
        assert stage.order in ("cancelled", "rejected")
        assert (stage.saga.state, stage.live) == ("compensated", set())
    assert stage.taken <= 1
    assert stage.saga.hold == "none"


@often
@given(HISTORIES)
def test_an_order_ends_only_when_everybody_has_given_back(acts: list[Act]) -> None:
    stage = play([*acts, ("cancel", 0, ""), ("take_up", 0, "")])

    for _ in range(100):
        for reader in READERS:
            stage.deliver(reader, 1)
        for row in stage.due()[:1]:
            stage.run(row, "done")
        if stage.order in ("cancelled", "rejected") and not stage.flights:
            assert not stage.live or stage.saga.state != "compensated"


def test_a_choreography_that_goes_well_ends_with_everything_done() -> None:
    stage = play([("round", 0, "")] * 12)

    assert (stage.order, stage.saga.state, stage.saga.stage) == ("confirmed", "completed", 6)
    assert [r.name.partition(".")[2] for r in sorted(stage.rows.values(), key=lambda r: r.position)] == [
        "place_order", "authorize_payment", "reserve_stock", "book_shipment", "capture_payment", "confirm_order",
    ]  # fmt: skip


def test_a_saga_nobody_hears_of_any_more_is_parked_and_goes_on_once_it_is_heard() -> None:
    stage = Stage()
    stage.deliver("payments", 1)
    stage.run(stage.due()[0], "done")
    stage.now += PATIENCE + timedelta(seconds=1)

    part = stage._part()
    part.pass_silence()
    stage.take(part.change())

    assert (stage.saga.hold, stage.saga.hold_reason) == ("parked", "silent: nothing followed its start")
    stage.deliver("inventory", 10)
    assert (stage.saga.hold, [r.name for r in stage.due()]) == ("none", ["inventory.reserve_stock"])


def test_what_is_still_due_is_not_silent() -> None:
    stage = Stage()
    stage.deliver("payments", 1)
    stage.now += PATIENCE + timedelta(seconds=1)

    part = stage._part()
    part.pass_silence()
    stage.take(part.change())

    assert (stage.saga.hold, stage.saga.deadline_at) == ("none", stage.now + PATIENCE)


def _at_the_booking() -> Stage:
    stage = Stage()
    for _ in range(2):
        stage.round()
    stage.deliver("shipping", 100)
    assert [r.name for r in stage.due()] == ["shipping.book_shipment"]
    return stage


def test_what_a_lingering_call_does_after_its_step_was_refused_is_given_back() -> None:
    stage = _at_the_booking()
    stage.run(stage.due()[0], "paused")
    stage.now += timedelta(seconds=61)
    stage.run(stage.due()[0], "done")  # the carrier knows of nothing
    stage.run(stage.due()[0], "refused")

    stage.settle()

    assert (stage.order, stage.saga.state, stage.live) == ("rejected", "compensated", set())


def test_a_late_no_makes_also_the_one_who_said_it_give_back() -> None:
    stage = _at_the_booking()
    stage.run(stage.due()[0], "lost_refused")
    stage.now += timedelta(seconds=61)
    stage.run(stage.due()[0], "unavailable")
    stage.wake(stage.flights[0])

    stage.settle()

    assert (stage.order, stage.saga.state, stage.live) == ("rejected", "compensated", set())


def test_an_answer_lifts_the_silence_before_it() -> None:
    stage = Stage()
    stage.cancel()
    stage.take_up()
    for reader in ("payments", "inventory", "shipping", "follower"):
        stage.deliver(reader, 100)
    stage.deliver("orders", 2)
    stage.deliver("follower", 100)
    stage.now += PATIENCE + timedelta(seconds=1)
    part = stage._part()
    part.pass_silence()
    stage.take(part.change())
    assert stage.saga.hold == "parked"

    stage.deliver("orders", 100)

    assert (stage.saga.hold, [r.name for r in stage.due()]) == ("none", ["orders.cancel_order"])


def test_what_is_done_after_a_person_resolved_the_saga_as_given_back_is_undone() -> None:
    stage = Stage()
    stage.deliver("payments", 1)
    stage.run(stage.due()[0], "lost")
    stage.ask("pause")
    part = stage._part()
    intents.apply(part, Asked(uuid7(), stage.saga.id, "resolve", "ann", "by hand", {"as": "compensated"}))
    stage.take(part.change())

    stage.wake(stage.flights[0])

    assert [r.name for r in stage.due()] == ["payments.void_authorization"]
    assert stage.saga.state == "compensating"


def test_a_person_who_retries_after_the_wish_begins_nothing_that_would_only_be_given_back() -> None:
    stage = _at_the_booking()
    stage.cancel()
    stage.take_up()

    stage.ask("retry")

    assert stage.due() == []


def test_a_call_that_may_be_tried_again_later_is_not_once_somebody_said_no() -> None:
    stage = _at_the_booking()
    (row,) = stage.due()
    stage.run(row, "lost")
    stage.cancel()
    stage.take_up()

    stage._record(stage.flights.pop(), Unavailable("busy"))

    assert (stage.saga.state, [r.wake_at for r in stage.rows.values() if r.open]) == ("compensating", [None])


def test_an_order_does_not_end_while_what_lingered_is_given_back_once_more() -> None:
    stage = Stage()
    stage.deliver("payments", 1)
    stage.run(stage.due()[0], "paused")
    stage.now += timedelta(seconds=61)
    stage.cancel()
    stage.take_up()
    for reader in ("payments", "inventory", "shipping"):
        stage.deliver(reader, 100)
    stage.run(stage.due()[0], "done")
    stage.run(stage.due()[0], "done")
    stage.wake(stage.flights[0])
    stage.deliver("orders", 100)

    assert [r.name for r in stage.due()] == ["payments.void_authorization"]
    stage.run(stage.due()[0], "done")

    assert (stage.live, [r.name for r in stage.due()]) == (set(), ["orders.cancel_order"])


def test_an_order_does_not_end_while_what_lingered_behind_a_no_is_given_back() -> None:
    stage = _at_the_booking()
    stage.run(stage.due()[0], "paused")
    stage.now += timedelta(seconds=61)
    stage.run(stage.due()[0], "done")
    stage.run(stage.due()[0], "refused")
    stage.wake(stage.flights[0])
    for reader in ("payments", "inventory", "orders"):
        stage.deliver(reader, 100)
    names = {row.name for row in stage.due()}
    for row in [r for r in stage.due() if r.name != "shipping.cancel_shipment"]:
        stage.run(row, "done")
    stage.deliver("orders", 100)

    assert names == {
        "payments.void_authorization", "inventory.release_reservation", "shipping.cancel_shipment",
    }  # fmt: skip
    assert [r.name for r in stage.due()] == ["shipping.cancel_shipment"]
    assert stage.order == "pending"
