"""F55: what comes back is not what was asked for, or two say at once what it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from orders.models import Return
from orders.returns.aggregate import Finding
from orders.returns.refusals import (
    NotHandedOver,
    NothingToReturn,
    ReturnInvalid,
    ReturnMoved,
    ReturnTooLate,
    SpokenFor,
)
from orders.returns.rules import Wish
from sagas.models import StoredEvent
from sagas.sql import execute
from shipping.carriers.base import CarrierStatus
from tests.scenarios.fulfilment import Fulfilment
from tests.scenarios.returning import Desk, at_once, by_hand, carried, later, shipped

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
