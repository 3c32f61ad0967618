"""F50 and F54: returns that nobody asked for: of what was cancelled too late, and of parcels that come back."""

from __future__ import annotations

from orders.returns.aggregate import Finding
from orders.returns.opening import ParcelBack, take_parcels_back
from sagas.clock import database_now
from shipping.carriers.base import CarrierStatus
from shipping.models import Shipment
from tests.scenarios.fulfilment import Ends, Fulfilment
from tests.scenarios.returning import Desk, at_once, carried

ON_ITS_WAY = Ends("processing", "captured", "consumed", "handed_over")


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
