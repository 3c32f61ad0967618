"""The order as an aggregate: legal moves only, and its events tell everything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.aggregate import AlreadyHandedOver, Order, OrderLocked
from orders.lines import MoreThanOrdered
from orders.states import FINAL, MOVES, LockKind, State
from orders.totals import total_up
from sagas.events import load
from sagas.ids import uuid7
from sagas.log import Recorded, Token
from sagas.verdicts import IllegalMove, Refused
from tests.orders.factories import NOW, a_line, an_order

SAGA, OTHER = uuid7(), uuid7()

Act = Callable[[Order, datetime], None]

ACTS: dict[str, Act] = {
    "accept": lambda o, now: o.accept(SAGA, now=now),
    "confirm": lambda o, now: o.confirm(now=now),
    "reject": lambda o, now: o.reject("payments.declined", now=now),
    "request": lambda o, now: o.request_cancellation(OTHER, reason="why", now=now),
    "request_part": lambda o, now: o.request_cancellation(OTHER, reason="why", whole=False, now=now),
    "cancel": lambda o, now: o.cancel(SAGA, reason="why", now=now),
    "cancel_one": lambda o, now: o.cancel_lines(
        OTHER, [{"sku": "A", "quantity": 1}], amount_minor=7, now=now
    ),
    "cancel_rest": lambda o, now: o.cancel_lines(OTHER, left_of(o), amount_minor=9, now=now),
    "abandon": lambda o, now: o.abandon_cancellation(OTHER, code="late", now=now),
    "hand_over": lambda o, now: o.start_processing(now=now),
    "complete": lambda o, now: o.complete(now=now),
    "open_return": lambda o, now: o.open_return(OTHER, now=now),
    "return_one": lambda o, now: o.return_goods(
        OTHER, [{"sku": "A", "quantity": 1}], amount_minor=7, now=now
    ),
    "return_none": lambda o, now: o.return_goods(OTHER, [], amount_minor=0, now=now),
    "flag": lambda o, now: o.need_attention("stuck", on_hold=True, owner="operations", now=now),
    "clear": lambda o, now: o.clear_attention(now=now),
}


def left_of(order: Order) -> list[dict[str, Any]]:
    return [{"sku": x.sku, "quantity": x.left} for x in order.lines.values() if x.left]


def placed(*lines: tuple[str, int]) -> Order:
    sent = an_order(lines=[a_line(sku=s, quantity=n) for s, n in lines or (("A", 2), ("B", 1))])
    totals = total_up(sent.lines, sent.charges, currency=sent.currency)
    return Order.place(sent.placed(uuid7(), uuid7(), totals), now=NOW)


def replayed(order: Order, times: list[datetime]) -> Order:
    """The order again, from its events as they would come out of the database."""
    stored = [load(e.type, e.schema_version, e.to_data()) for e in order.changes]
    return Order.from_events(
        Recorded(Token(1, 1, n), order.id, n, event.type, event, {}, at)
        for n, (event, at) in enumerate(zip(stored, times, strict=True), start=1)
    )


def run(names: list[str]) -> tuple[Order, list[datetime], list[str]]:
    order, times, refused = placed(), [NOW], []
    for step, name in enumerate(names, start=1):
        now = NOW + timedelta(minutes=step)
        before = order.snapshot(), len(order.changes)
        try:
            ACTS[name](order, now)
        except Refused:
            assert (order.snapshot(), len(order.changes)) == before
            refused.append(name)
        times += [now] * (len(order.changes) - len(times))
    return order, times, refused


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=14))
def test_any_commands_either_refuse_and_change_nothing_or_replay_to_the_same_order(names: list[str]) -> None:
    order, times, _ = run(names)

    again = replayed(order, times)

    assert again.snapshot() == order.snapshot()
    assert again.lines == order.lines
    assert order.version == len(order.changes)


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=14))
def test_every_move_is_in_the_table_and_every_lock_names_its_saga(names: list[str]) -> None:
    order = Order.from_events([recorded(event, n) for n, event in enumerate(run(names)[0].changes[:1], 1)])
    before = order.state

    for number, event in enumerate(run_events(names, order.id), start=2):
        order.apply(event, at=NOW)
        assert order.state == before or order.state in MOVES[before], number
        assert (order.lock_saga is None) == (order.lock_kind is LockKind.NONE) == (order.lock_since is None)
        assert all(x.left >= 0 for x in order.lines.values())
        before = order.state


def run_events(names: list[str], order_id: UUID) -> list[Any]:
    return run(names)[0].changes[1:]


def recorded(event: Any, version: int) -> Recorded:
    return Recorded(Token(1, 1, version), event.order_id, version, event.type, event, {}, NOW)


def test_the_table_of_moves_knows_every_state_and_lets_nothing_out_of_a_final_one() -> None:
    assert set(MOVES) == set(State)
    assert {state for state, to in MOVES.items() if not to} == FINAL


@pytest.mark.parametrize(
    ("path", "end"),
    [
        (["accept", "confirm", "hand_over", "complete"], State.COMPLETED),
        (["accept", "confirm", "complete"], State.COMPLETED),
        (["accept", "reject"], State.REJECTED),
        (["reject"], State.REJECTED),
        (["accept", "request", "cancel"], State.CANCELLED),
        (["cancel"], State.CANCELLED),
        (["accept", "request", "confirm"], State.CONFIRMED),
        (["accept", "confirm", "request"], State.CANCELLING),
        (["accept", "confirm", "request", "cancel"], State.CANCELLED),
        (["accept", "confirm", "request", "abandon", "hand_over"], State.PROCESSING),
        (["accept", "confirm", "request", "hand_over", "abandon"], State.PROCESSING),
        (["accept", "confirm", "request_part", "cancel_one"], State.CONFIRMED),
        (["accept", "confirm", "request_part", "cancel_rest"], State.CANCELLED),
        (["accept", "confirm", "complete", "open_return", "return_one"], State.COMPLETED),
        (["accept", "confirm", "hand_over", "open_return", "return_none", "complete"], State.COMPLETED),
    ],
)
def test_an_order_takes_the_ways_of_the_business(path: list[str], end: State) -> None:
    order, _, refused = run(path)

    assert refused == []
    assert order.state is end
    assert order.lock_kind is (LockKind.CANCEL if end is State.CANCELLING else LockKind.NONE)


def test_a_locked_order_refuses_others_and_names_the_saga_and_since_when() -> None:
    order, _, _ = run(["accept", "confirm", "request_part"])

    with pytest.raises(OrderLocked) as refused:
        order.request_cancellation(uuid7(), reason="all of it", now=NOW)

    assert refused.value.code == "orders.order_locked"
    assert str(OTHER) in refused.value.detail
    assert "2026-01-05T09:03:00Z" in refused.value.detail


@pytest.mark.parametrize("path", [[], ["accept"]])
def test_cancel_is_never_refused_for_being_early(path: list[str]) -> None:
    order, _, _ = run(path)

    order.request_cancellation(SAGA, reason="changed my mind", now=NOW)

    assert order.state is State.CANCELLING
    assert (order.lock_saga, order.lock_kind) == (SAGA, LockKind.FULFIL)


@pytest.mark.parametrize("path", [["accept", "confirm", "hand_over"], ["accept", "confirm", "complete"]])
def test_f50_what_was_handed_over_is_not_cancelled(path: list[str]) -> None:
    order, _, _ = run(path)

    with pytest.raises(AlreadyHandedOver):
        order.request_cancellation(OTHER, reason="too late", now=NOW)


def test_only_the_saga_that_holds_the_lock_may_close_a_return() -> None:
    order, _, _ = run(["accept", "confirm", "complete", "open_return"])

    with pytest.raises(IllegalMove):
        order.return_goods(SAGA, [], amount_minor=0, now=NOW)


def test_pieces_of_one_sku_are_counted_on_its_lines_from_the_last_back() -> None:
    order = placed(("A", 2), ("B", 1), ("A", 3))
    for act in ("accept", "confirm", "request_part"):
        ACTS[act](order, NOW)

    order.cancel_lines(
        OTHER, [{"sku": "A", "quantity": 2}, {"sku": "A", "quantity": 2}], amount_minor=4, now=NOW
    )

    assert [(x.position, x.cancelled) for x in order.lines.values()] == [(1, 1), (2, 0), (3, 3)]
    assert order.cancelled_minor == 4


def test_f55_the_same_piece_does_not_come_back_twice() -> None:
    order, _, _ = run(
        ["accept", "confirm", "complete", "open_return", "return_one", "open_return", "return_one"]
    )
    ACTS["open_return"](order, NOW)

    with pytest.raises(MoreThanOrdered) as refused:
        ACTS["return_one"](order, NOW)

    assert refused.value.code == "orders.more_than_ordered"
    assert order.lines[1].returned == 2
    assert order.returned_minor == 14


def test_the_flags_are_lifted_when_the_saga_ends() -> None:
    order, _, _ = run(["accept", "flag"])
    assert (order.needs_attention, order.on_hold, order.hold_owner) == (True, True, "operations")

    order.confirm(now=NOW)

    assert (order.needs_attention, order.on_hold, order.hold_owner, order.hold_reason) == (
        False,
        False,
        "",
        "",
    )


def test_the_same_call_for_attention_is_made_once() -> None:
    order, _, _ = run(["accept", "flag", "flag"])

    assert [e.type for e in order.changes].count("orders.OrderNeedsAttention") == 1


def test_a_stream_that_does_not_begin_with_the_order_is_no_order() -> None:
    order, _, _ = run(["accept"])

    with pytest.raises(ValueError, match="begins with OrderPlaced"):
        Order.from_events([recorded(order.changes[1], 2)])
    with pytest.raises(ValueError, match="no such order"):
        Order.from_events([])
