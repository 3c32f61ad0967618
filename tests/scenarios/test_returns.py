"""F50, F54 and F55: goods that come back wait for people, and only what is accepted is paid and put back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from orders.contract import RETURN_GOODS
from orders.models import Return
from orders.refunding.commands import ask_refund
from orders.refunding.rules import Wanted
from orders.returns.aggregate import Finding
from orders.returns.opening import ParcelBack, take_parcels_back
from orders.returns.refusals import (
    NotHandedOver,
    NothingToReturn,
    ReturnInvalid,
    ReturnMoved,
    ReturnTooLate,
    SpokenFor,
)
from orders.returns.rules import Wish
from sagas import operate
from sagas.clock import database_now, travel
from sagas.models import SagaStep, StoredEvent
from sagas.sql import execute
from sagas.verdicts import Refused
from shipping.carriers import get_carrier
from shipping.carriers.base import CarrierStatus
from shipping.commands import ask_after_parcels
from shipping.models import Shipment
from tests.scenarios.fulfilment import Ends, Fulfilment
from tests.scenarios.returning import Desk, shipped

DAY = 86_400
ON_ITS_WAY = Ends("processing", "captured", "consumed", "handed_over")


@pytest.fixture
def desk(fulfilment: Fulfilment) -> Desk:
    """Three mugs and two pots at 5.00 each are with the carrier."""
    return shipped(fulfilment, ("MUG", 3), ("POT", 2))


def carried(desk: Desk, *statuses: CarrierStatus) -> None:
    """What the carrier says of the parcel from now on."""
    parcel, begin = Shipment.objects.get(), database_now() + timedelta(minutes=1)
    for hours, status in enumerate(statuses):
        desk.shop.sandbox.scan(parcel.carrier_id, status, begin + timedelta(hours=hours))
    travel(offset() + 8 * 3600)
    ask_after_parcels(get_carrier(), now=database_now())
    desk.shop.settle()


def offset() -> float:
    """How far the clock has travelled."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM waybill_now() - clock_timestamp())")
        return float(cursor.fetchone()[0])


def later(desk: Desk, days: float) -> None:
    """Let days pass, and all that was due in them happen."""
    travel(offset() + days * DAY)
    desk.shop.settle()


# --- the way of a return -----------------------------------------------------------------------------------------


def test_a_return_waits_for_its_goods_then_for_a_person_and_then_pays(desk: Desk) -> None:
    desk.ask({1: 2})
    desk.shop.settle()
    assert (desk.saga().hold, desk.saga().hold_reason) == ("waiting", "orders.return_receipt")
    assert desk.saga().amount_minor == 1000
    desk.receive({1: 2})
    desk.shop.settle()
    assert (desk.saga().hold, desk.saga().hold_reason) == ("waiting", "orders.return_inspection")
    assert (desk.shop.row().lock_kind, desk.refunded()) == ("", 0)

    desk.accept({1: 2})
    desk.shop.settle()

    assert desk.states() == ["closed"]
    assert (desk.saga().state, desk.saga().version) == ("completed", 2)
    assert desk.shop.story(definition=RETURN_GOODS) == [
        "receive_return", "inspect_return", "refund_payment", "restock_goods", "close_return",
    ]  # fmt: skip
    assert (desk.refunded(), desk.row().refund_minor) == (1000, 1000)
    assert (desk.shop.stock("MUG"), desk.shop.stock("POT")) == ((19, 0, 0), (18, 0, 0))
    assert (desk.shop.row().returned_minor, desk.shop.row().lock_kind) == (1000, "")
    assert desk.shop.ends() == ON_ITS_WAY


def test_everything_comes_back_and_the_shares_are_the_lines_totals(fulfilment: Fulfilment) -> None:
    desk = shipped(fulfilment, ("MUG", 3), price_minor=333)
    for number in (1, 2, 3):
        desk.ask({1: 1})
        desk.receive({1: 1}, number)
        desk.accept({1: 1}, number)
        desk.shop.settle()

    assert desk.states() == ["closed"] * 3
    assert desk.refunded() == desk.shop.row().total_minor == 999
    with pytest.raises(NothingToReturn):
        desk.ask()


def test_what_never_comes_is_withdrawn_at_its_deadline_and_nothing_is_paid(desk: Desk) -> None:
    desk.ask()
    desk.shop.settle()
    later(desk, 29)
    assert desk.states() == ["requested"]

    later(desk, 2)

    assert (desk.states(), desk.row().end_code) == (["withdrawn"], "orders.return_not_received")
    assert (desk.saga().state, desk.saga().cause_code) == ("compensated", "orders.return_not_received")
    assert desk.refunded() == 0
    assert desk.shop.row().lock_kind == ""


def test_a_return_that_is_taken_back_frees_its_pieces(desk: Desk) -> None:
    desk.ask({1: 3})
    desk.shop.settle()

    desk.withdraw()
    desk.withdraw()
    desk.shop.settle()

    assert (desk.states(), desk.saga().state) == (["withdrawn"], "compensated")
    desk.ask({1: 3})
    assert desk.states() == ["withdrawn", "requested"]


def test_an_inspection_that_nobody_makes_calls_a_person_and_never_pays(desk: Desk) -> None:
    desk.ask()
    desk.receive({1: 3, 2: 2})
    desk.shop.settle()
    assert not desk.shop.row().needs_attention

    later(desk, 8)
    assert desk.shop.row().attention_reason == "orders.return_inspection"
    later(desk, 100)

    assert (desk.states(), desk.saga().state, desk.refunded()) == (["received"], "running", 0)


def test_a_person_who_turns_the_saga_back_ends_the_return(desk: Desk) -> None:
    desk.ask({1: 1})
    desk.receive({1: 1})
    desk.shop.settle()

    operate.act(
        "turn_back", [desk.saga().pk], actor="ada", reason="sent back to the customer", now=database_now(), payload={}
    )  # fmt: skip
    desk.shop.settle()

    assert (desk.states(), desk.saga().state, desk.refunded()) == (["withdrawn"], "compensated", 0)
    assert desk.shop.stock("MUG") == (17, 0, 0)


def by_hand(desk: Desk, kind: str, payload: dict[str, Any] | None = None) -> None:
    """A person does something to the saga of the first return."""
    operate.act(
        kind, [desk.saga().pk], actor="ada", reason="by hand", now=database_now(), payload=payload or {}
    )
    desk.shop.settle()


def test_a_return_whose_saga_was_ended_by_hand_can_be_withdrawn(desk: Desk) -> None:
    desk.ask({1: 1})
    desk.receive({1: 1})
    desk.shop.settle()
    with pytest.raises(ReturnMoved):
        desk.withdraw()
    by_hand(desk, "pause")
    by_hand(desk, "resolve", {"as": "completed"})

    desk.withdraw()

    assert (desk.states(), desk.saga().state) == (["withdrawn"], "completed")


def test_an_order_that_another_saga_holds_is_waited_for_and_uses_up_no_try(desk: Desk) -> None:
    desk.ask({1: 1})
    desk.receive({1: 1})
    desk.shop.settle()
    other = desk.shop.saga()
    execute(
        "UPDATE orders_order SET lock_kind = 'return', lock_saga = %s, lock_since = now() WHERE id = %s",
        [other.pk, desk.shop.row().pk],
    )
    desk.accept({1: 1})
    for _ in range(20):
        travel(offset() + 61)
        desk.shop.settle_now()
    step = SagaStep.objects.get(saga=desk.saga(), name="orders.inspect_return", direction="do")
    assert (step.verdict, step.code, step.tries) == ("unavailable", "orders.order_locked", 1)
    assert (desk.refunded(), desk.saga().hold) == (0, "none")

    execute(
        "UPDATE orders_order SET lock_kind = '', lock_saga = NULL, lock_since = NULL WHERE id = %s",
        [desk.shop.row().pk],
    )
    desk.shop.settle()

    assert (desk.states(), desk.refunded()) == (["closed"], 500)


# --- F55: what comes differs from what was asked -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("came", "findings", "refund", "mugs"),
    [
        pytest.param({1: 1}, [Finding(1, 1, restock=1)], 500, 18, id="fewer"),
        pytest.param({1: 3}, [Finding(1, 3, restock=3)], 1500, 20, id="more"),
        pytest.param({1: 3}, [Finding(1, 2, 1, "not asked for", 2)], 1000, 19, id="more, as asked"),
        pytest.param({1: 2}, [Finding(1, 1, 1, "worn", 1)], 500, 18, id="one is worn"),
        pytest.param({1: 2}, [Finding(1, 2, restock=0)], 1000, 17, id="damaged on the way, refunded"),
        pytest.param({1: 2}, [Finding(1, 0, 2, "not ours")], 0, 17, id="all rejected"),
    ],
)
def test_f55_only_what_is_accepted_is_paid_and_only_what_is_whole_is_put_back(
    desk: Desk, came: dict[int, int], findings: list[Finding], refund: int, mugs: int
) -> None:
    desk.ask({1: 2})
    desk.receive(came)
    desk.inspect(*findings)
    desk.shop.settle()

    assert desk.states() == ["closed"]
    assert (desk.refunded(), desk.shop.stock("MUG")) == (refund, (mugs, 0, 0))
    accepted = findings[0].accepted
    assert desk.lines() == [(1, 2, came[1], accepted, came[1] - accepted)]
    assert desk.shop.row().lines.get(position=1).returned_quantity == accepted


def test_f55_another_line_than_asked_is_written_down_and_may_be_accepted(desk: Desk) -> None:
    desk.ask({1: 2})
    desk.receive({1: 1, 2: 1})
    desk.accept({1: 1, 2: 1})
    desk.shop.settle()

    assert desk.lines() == [(1, 2, 1, 1, 0), (2, 0, 1, 1, 0)]
    assert (desk.refunded(), desk.shop.stock("POT")) == (1000, (19, 0, 0))


def test_f55_goods_that_are_none_of_the_order_need_a_person_and_are_never_paid(desk: Desk) -> None:
    desk.ask({1: 1})
    desk.receive({}, SHOE=1)
    desk.inspect()
    desk.shop.settle()

    order = desk.shop.row()
    assert desk.row().unexpected == [{"sku": "SHOE", "quantity": 1}]
    assert (order.needs_attention, order.attention_reason) == (True, "orders.return_unexpected_goods")
    assert (desk.states(), desk.refunded(), desk.shop.stock("MUG")) == (["closed"], 0, (17, 0, 0))
    with pytest.raises(ReturnInvalid):
        desk.ask({1: 1}) and desk.receive({}, 2, MUG=1)


def test_f55_a_piece_is_asked_for_once(desk: Desk) -> None:
    desk.ask({1: 2})

    with pytest.raises(SpokenFor) as refused:
        desk.ask({1: 2})

    assert refused.value.code == "orders.return_spoken_for"
    desk.ask({1: 1})
    desk.ask()
    assert [desk.lines(n) for n in (1, 2, 3)] == [[(1, 2, 0, 0, 0)], [(1, 1, 0, 0, 0)], [(2, 2, 0, 0, 0)]]
    with pytest.raises(NothingToReturn):
        desk.ask()


def test_f55_a_piece_in_two_parcels_is_accepted_once(desk: Desk) -> None:
    desk.ask({1: 2})
    desk.ask({1: 1})
    desk.receive({1: 3}, 1)
    desk.receive({1: 1}, 2)

    with pytest.raises(SpokenFor):
        desk.accept({1: 3}, 1)
    desk.inspect(Finding(1, 2, 1, "belongs to the other parcel", 2), number=1)
    desk.accept({1: 1}, 2)
    desk.shop.settle()

    assert (desk.states(), desk.refunded()) == (["closed", "closed"], 1500)


def test_f55_a_credit_note_that_was_faster_leaves_less_to_accept(desk: Desk) -> None:
    desk.ask({1: 3})
    desk.receive({1: 3})
    desk.shop.settle()
    by_hand(desk, "pause")
    desk.accept({1: 3})
    desk.shop.credit(amount_minor=1000, MUG=2)
    desk.shop.settle()
    assert (desk.states(), desk.refunded()) == (["inspected"], 1000)

    by_hand(desk, "resume")

    assert desk.lines() == [(1, 3, 3, 1, 2)]
    assert (desk.states(), desk.refunded()) == (["closed"], 1500)
    assert desk.shop.row().lines.get(position=1).returned_quantity == 3


def test_f55_too_late_is_refused_unless_a_person_lets_it_pass(desk: Desk) -> None:
    carried(desk, CarrierStatus.DELIVERED)
    later(desk, 31)

    with pytest.raises(ReturnTooLate):
        desk.ask({1: 1})
    opened = desk.ask({1: 1}, even_late=True)

    assert (opened.late, desk.states()) == (True, ["requested"])
    event = StoredEvent.objects.get(type="orders.ReturnRequested")
    assert event.data["late"] is True


def test_what_has_not_left_cannot_come_back(fulfilment: Fulfilment) -> None:
    fulfilment.run()

    with pytest.raises(NotHandedOver):
        Desk(fulfilment).ask()

    assert not Return.objects.exists()


@pytest.mark.parametrize(
    "findings",
    [
        [Finding(1, 1, restock=1)],
        [Finding(1, 3, restock=0)],
        [Finding(1, 1, 1, "")],
        [Finding(1, 2, restock=3)],
        [Finding(1, 2), Finding(2, 1)],
        [Finding(1, 2), Finding(1, 2)],
        [Finding(1, 3, -1, "x")],
    ],
)
def test_an_inspection_decides_on_every_piece_and_on_no_other(desk: Desk, findings: list[Finding]) -> None:
    desk.ask({1: 2})
    desk.receive({1: 2})

    with pytest.raises(ReturnInvalid):
        desk.inspect(*findings)

    assert desk.states() == ["received"]


def test_saying_it_again_changes_nothing_and_saying_otherwise_is_refused(desk: Desk) -> None:
    desk.ask({1: 2})
    desk.receive({1: 2})
    desk.receive({1: 2})
    with pytest.raises(ReturnMoved):
        desk.receive({1: 1})
    desk.accept({1: 2})
    desk.accept({1: 2})
    with pytest.raises(ReturnMoved):
        desk.inspect(Finding(1, 0, 2, "worn"))
    desk.shop.settle()
    desk.accept({1: 2})
    desk.receive({1: 2})

    told = StoredEvent.objects.filter(stream=desk.row().pk).order_by("version").values_list("type", flat=True)
    assert list(told) == [
        "orders.ReturnRequested", "orders.ReturnReceived", "orders.ReturnInspected", "orders.ReturnClosed",
    ]  # fmt: skip
    assert desk.refunded() == 1000


def test_pieces_of_a_sku_are_counted_on_its_lines(fulfilment: Fulfilment) -> None:
    desk = shipped(fulfilment, ("MUG", 1), ("POT", 1), ("MUG", 2))

    opened = desk.ask_for(Wish(3, sku="MUG"))

    assert {p: line.asked for p, line in opened.lines.items()} == {1: 1, 3: 2}
    with pytest.raises(SpokenFor):
        desk.ask_for(Wish(1, sku="MUG"))
    with pytest.raises(ReturnInvalid):
        desk.ask_for(Wish(1, sku="SHOE"))


# --- F55: two at once --------------------------------------------------------------------------------------------


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run acts at the same moment, each on a connection of its own; what they return or refuse."""
    start = Barrier(len(acts))

    def one(act: Callable[[], Any]) -> Any:
        try:
            start.wait(timeout=10)
            return act()
        except Refused as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [asked.result(timeout=30) for asked in [pool.submit(one, act) for act in acts]]


def test_f55_of_two_receipts_at_once_one_wins_and_the_other_is_told(desk: Desk) -> None:
    desk.ask({1: 3})
    desk.shop.settle()

    answers = at_once(lambda: desk.receive({1: 1}), lambda: desk.receive({1: 2}))

    lost = [a for a in answers if isinstance(a, ReturnMoved)]
    assert len(lost) == 1
    ((_, _, received, _, _),) = desk.lines()
    won = answers[1 - answers.index(lost[0])]
    assert won.lines[1].received == received
    assert StoredEvent.objects.filter(type="orders.ReturnReceived").count() == 1
    desk.shop.settle()
    assert desk.saga().hold_reason == "orders.return_inspection"


def test_f55_of_two_inspections_at_once_one_wins_and_is_paid(desk: Desk) -> None:
    desk.ask({1: 3})
    desk.receive({1: 3})
    desk.shop.settle()

    answers = at_once(
        lambda: desk.accept({1: 3}), lambda: desk.inspect(Finding(1, 0, 3, "worn")), desk.shop.settle_now
    )

    assert sum(isinstance(a, ReturnMoved) for a in answers) == 1
    desk.shop.settle()
    assert desk.states() == ["closed"]
    assert desk.refunded() == (0 if isinstance(answers[0], ReturnMoved) else 1500)


def test_f55_of_two_requests_for_the_same_pieces_one_is_opened(desk: Desk) -> None:
    answers = at_once(*[lambda: desk.ask({1: 2})] * 4)

    assert sum(isinstance(a, SpokenFor) for a in answers) == 3
    assert desk.states() == ["requested"]


def test_news_is_never_lost_between_a_look_and_a_wake_up(desk: Desk) -> None:
    """The saga looks while the receipt is being written: it waits for the order's row and then sees it."""
    desk.ask({1: 1})
    desk.shop.settle()
    execute("UPDATE sagas_step SET wake_at = waybill_now() WHERE saga_id = %s", [desk.saga().pk])
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        desk.receive({1: 1})
        looking = pool.submit(at_once, desk.shop.settle_now)
        with pytest.raises(TimeoutError):
            looking.result(timeout=1)
    looking.result(timeout=30)
    desk.shop.settle_now()

    assert desk.saga().hold_reason == "orders.return_inspection"


# --- F50: cancelled after the hand-over --------------------------------------------------------------------------


def test_f50_a_cancel_after_the_hand_over_opens_one_return_of_everything(desk: Desk) -> None:
    for _ in range(3):
        desk.shop.cancel()
    desk.shop.settle()

    assert desk.shop.ends() == ON_ITS_WAY
    assert (desk.states(), desk.row().origin) == (["requested"], "cancellation")
    assert desk.lines() == [(1, 3, 0, 0, 0), (2, 2, 0, 0, 0)]
    assert (desk.refunded(), desk.shop.stock("MUG")) == (0, (17, 0, 0))
    desk.receive({1: 3, 2: 2})
    desk.accept({1: 3, 2: 2})
    desk.shop.settle()
    desk.shop.cancel()
    assert (desk.states(), desk.refunded(), desk.shop.stock("MUG")) == (["closed"], 2500, (20, 0, 0))
    assert desk.shop.ends().order == "processing"


def test_f50_a_cancel_beside_an_open_return_asks_for_the_rest(desk: Desk) -> None:
    desk.ask({1: 2})

    desk.shop.cancel()

    assert [desk.lines(n) for n in (1, 2)] == [[(1, 2, 0, 0, 0)], [(1, 1, 0, 0, 0), (2, 2, 0, 0, 0)]]


def test_f50_a_cancel_when_everything_is_on_its_way_back_is_answered_with_that_return(desk: Desk) -> None:
    desk.ask()

    desk.shop.cancel()

    assert desk.states() == ["requested"]


def test_f50_many_cancels_at_once_open_one_return(desk: Desk) -> None:
    at_once(*[desk.shop.cancel] * 4)

    assert desk.states() == ["requested"]


def test_f50_a_cancel_that_the_carrier_overtook_ends_as_a_return(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    fulfilment.carrier_takes_it()

    fulfilment.cancel()
    fulfilment.settle()

    desk = Desk(fulfilment)
    assert fulfilment.ends() == ON_ITS_WAY
    assert fulfilment.saga(definition="orders.cancel_fulfilment").state == "compensated"
    assert (desk.states(), desk.row().origin, desk.lines()) == (
        ["requested"], "cancellation", [(1, 1, 0, 0, 0)],
    )  # fmt: skip
    desk.receive({1: 1})
    desk.accept({1: 1})
    fulfilment.settle()
    assert (desk.refunded(), fulfilment.stock()) == (500, (10, 0, 0))


# --- F54: returned to sender -------------------------------------------------------------------------------------


def test_f54_a_parcel_that_came_back_is_a_return_that_was_received(desk: Desk) -> None:
    carried(desk, CarrierStatus.RETURN_TO_SENDER, CarrierStatus.RETURNED)

    assert (desk.states(), desk.row().origin) == (["received"], "carrier")
    assert desk.lines() == [(1, 3, 3, 0, 0), (2, 2, 2, 0, 0)]
    assert (desk.refunded(), desk.saga().hold_reason) == (0, "orders.return_inspection")
    assert desk.shop.row().attention_reason == "parcel returned"
    desk.inspect(Finding(1, 3, restock=2), Finding(2, 2, restock=2))
    desk.shop.settle()
    assert (desk.states(), desk.refunded()) == (["closed"], 2500)
    assert (desk.shop.stock("MUG"), desk.shop.stock("POT")) == ((19, 0, 0), (20, 0, 0))


def test_f54_a_parcel_that_came_back_is_received_by_the_return_that_waits_for_it(desk: Desk) -> None:
    desk.shop.cancel()
    desk.shop.settle()

    carried(desk, CarrierStatus.RETURN_TO_SENDER, CarrierStatus.RETURNED)

    assert desk.states() == ["received"]
    assert desk.lines() == [(1, 3, 3, 0, 0), (2, 2, 2, 0, 0)]
    assert desk.saga().hold_reason == "orders.return_inspection"


def test_f54_what_nobody_had_asked_for_in_that_parcel_is_a_return_of_its_own(desk: Desk) -> None:
    desk.ask({1: 1})

    carried(desk, CarrierStatus.RETURN_TO_SENDER, CarrierStatus.RETURNED)

    assert desk.states() == ["received", "received"]
    assert [desk.lines(n) for n in (1, 2)] == [[(1, 1, 1, 0, 0)], [(1, 2, 2, 0, 0), (2, 2, 2, 0, 0)]]


def test_f54_a_parcel_that_is_told_of_again_is_taken_back_once(desk: Desk) -> None:
    desk.ask({1: 1})
    carried(desk, CarrierStatus.RETURN_TO_SENDER, CarrierStatus.RETURNED)
    for number in (1, 2):
        desk.inspect(*[Finding(p, 0, n, "worn") for p, _, n, _, _ in desk.lines(number)], number=number)
    desk.shop.settle()
    desk.ask({1: 2})

    parcel = ParcelBack(Shipment.objects.get().pk, desk.shop.row().pk, {"MUG": 3, "POT": 2})
    take_parcels_back([parcel], now=database_now())

    assert desk.states() == ["closed", "closed", "requested"]


def test_a_piece_that_was_refunded_cannot_be_returned_and_one_in_a_return_is_paid_once(desk: Desk) -> None:
    desk.ask({1: 2})
    by_bob: dict[str, Any] = {"actor": "bob", "reason": "crack", "now": database_now()}
    ask_refund(desk.shop.row().pk, Wanted(pieces={1: 2}), **by_bob)
    desk.shop.settle()
    assert desk.refunded() == 1000

    with pytest.raises(SpokenFor):
        desk.ask({1: 1})
    desk.receive({1: 2})
    with pytest.raises(SpokenFor):
        desk.accept({1: 2})
    desk.inspect(Finding(1, 1, 1, "was paid already", 1))
    desk.shop.settle()

    line = desk.shop.row().lines.get(position=1)
    assert (line.refunded_quantity, line.returned_quantity) == (2, 1)
    assert (desk.states(), desk.refunded()) == (["closed"], 1500)


def test_a_credit_note_passes_straight_through(desk: Desk) -> None:
    desk.shop.credit(amount_minor=700, MUG=1)
    desk.shop.settle()

    saga = desk.shop.saga(definition=RETURN_GOODS)
    assert (saga.state, saga.version, desk.refunded()) == ("completed", 2, 700)
    assert not Return.objects.exists()
    assert desk.shop.stock("MUG") == (18, 0, 0)


def test_a_credit_note_whose_saga_is_turned_back_lets_go_and_waits_again(desk: Desk) -> None:
    desk.shop.credit(amount_minor=700, MUG=1)
    desk.shop.settle(without=("orders.receive_return",))
    saga = desk.shop.saga(definition=RETURN_GOODS)
    assert desk.shop.row().lock_kind == "return"

    operate.act("turn_back", [saga.pk], actor="ada", reason="not yet", now=database_now(), payload={})
    desk.shop.settle()

    saga.refresh_from_db()
    assert saga.state == "compensated"
    assert (desk.refunded(), desk.shop.row().lock_kind) == (700, "")
