"""Parcels leave when their orders are confirmed and their goods are there, and nothing taken goes unheard."""

from __future__ import annotations

import threading
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from inventory.contract import StockAllocated, StockShort
from orders.contract import OrderConfirmed
from sagas.ids import uuid7
from sagas.verdicts import Done, Refused, Unknown
from shipping import commands
from shipping.commands import Moved, deliver_parcels, pick_up
from shipping.models import Shipment
from tests.shipping.dock import Dock

pytestmark = pytest.mark.django_db
State = Shipment.State


def ready(dock: Dock, *orders: str) -> None:
    """Orders booked and confirmed."""
    dock.book(*orders)
    dock.confirm(*orders)


def short(dock: Dock, order: str) -> StockShort:
    return StockShort(reservation_id=uuid7(), order_id=dock.id(order), shop_id=dock.shop_id, sku="MUG")


def filled(dock: Dock, order: str) -> StockAllocated:
    return StockAllocated(reservation_id=uuid7(), order_id=dock.id(order), shop_id=dock.shop_id, again=True)


def test_the_carrier_takes_only_parcels_of_confirmed_orders(dock: Dock) -> None:
    dock.book("paid", "not yet")
    dock.confirm("paid")

    moved = pick_up(dock.carrier, now=dock.clock.now)

    assert (moved.asked, moved.moved) == (1, 1)
    assert (dock.state("paid"), dock.state("not yet")) == (State.HANDED_OVER, State.LABEL_BOUGHT)
    assert dock.carrier.effects("not yet") == {"labels": 1}
    event = dock.events("paid")[-1].to_data()
    assert event["lines"] == [{"sku": "LAMP", "quantity": 1}, {"sku": "MUG", "quantity": 3}]


def test_what_was_taken_out_of_a_parcel_does_not_leave_with_it(dock: Dock) -> None:
    ready(dock, "A-1")
    dock.run(dock.withdrawal("A-1", MUG=3))

    pick_up(dock.carrier, now=dock.clock.now)

    assert dock.events("A-1")[-1].to_data()["lines"] == [{"sku": "LAMP", "quantity": 1}]


def test_orders_can_be_kept_out_of_a_pick_up(dock: Dock) -> None:
    ready(dock, "A-1", "A-2")

    pick_up(dock.carrier, now=dock.clock.now, except_orders={dock.id("A-1")})

    assert (dock.state("A-1"), dock.state("A-2")) == (State.LABEL_BOUGHT, State.HANDED_OVER)


def test_f57_a_second_pick_up_finds_what_the_first_took_and_never_recorded(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(dock, "A-1", "A-2")

    def die(place: str) -> None:
        assert place == "shipping.hand_over.after_call_before_commit"
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shipping.commands.leaving.crash_point", die)
        with pytest.raises(KeyboardInterrupt):
            pick_up(dock.carrier, now=dock.clock.now)
    assert dock.state("A-1") == State.LABEL_BOUGHT
    moved = pick_up(dock.carrier, now=dock.clock.now)

    assert (moved.asked, moved.moved) == (2, 2)
    assert dock.carrier.effects("A-1") == {"labels": 1, "pickups": 1}
    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentHandedOver"]


def test_an_unanswered_pick_up_is_raised_and_can_be_made_again(dock: Dock) -> None:
    ready(dock, "A-1")
    dock.carrier.script("pickups", "", "do_then_drop")

    with pytest.raises(Unknown):
        pick_up(dock.carrier, now=dock.clock.now)
    assert pick_up(dock.carrier, now=dock.clock.now).moved == 1
    assert dock.carrier.effects("A-1") == {"labels": 1, "pickups": 1}


def test_batches_go_on_behind_what_the_carrier_left(dock: Dock) -> None:
    orders = [f"A-{n}" for n in range(5)]
    ready(dock, *orders)
    dock.carrier.cancel(cancel_at_carrier(dock, "A-0"))

    first = pick_up(dock.carrier, now=dock.clock.now, limit=2)
    second = pick_up(dock.carrier, now=dock.clock.now, limit=2, after=first.last)
    third = pick_up(dock.carrier, now=dock.clock.now, limit=2, after=second.last)

    assert [(m.asked, m.moved) for m in (first, second, third)] == [(2, 1), (2, 2), (1, 1)]
    assert pick_up(dock.carrier, now=dock.clock.now, after=third.last) == Moved(0, 0, None)
    assert dock.state("A-0") == State.LABEL_BOUGHT


def test_handed_over_twice_is_one_fact(dock: Dock) -> None:
    ready(dock, "A-1")
    id_ = dock.shipment("A-1").pk

    assert commands.hand_over([id_, id_], now=dock.clock.now) == [Done(), Done()]
    assert commands.hand_over([id_], now=dock.clock.now) == [Done()]

    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentHandedOver"]


def test_delivered_parcels_are_delivered_once(dock: Dock) -> None:
    ready(dock, "A-1")
    pick_up(dock.carrier, now=dock.clock.now)

    moved = deliver_parcels(dock.carrier, now=dock.clock.now)
    commands.deliver([dock.shipment("A-1").pk], now=dock.clock.now)

    assert (moved.asked, moved.moved) == (1, 1)
    assert dock.state("A-1") == State.DELIVERED
    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentHandedOver", "ShipmentDelivered"]


def test_f53_a_parcel_delivered_before_we_saw_it_leave_has_left_too(dock: Dock) -> None:
    ready(dock, "A-1")

    assert commands.deliver([dock.shipment("A-1").pk], now=dock.clock.now) == [Done()]

    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentHandedOver", "ShipmentDelivered"]


def test_a_parcel_that_is_no_parcel_cannot_move(dock: Dock) -> None:
    dock.cancel("A-1")

    answers = commands.deliver([dock.shipment("A-1").pk, uuid7()], now=dock.clock.now)

    assert answers == [Refused("shipping.cancelled", "voided"), Refused("shipping.no_such_shipment")]


def test_a_parcel_short_of_goods_stays_until_they_are_there(dock: Dock) -> None:
    ready(dock, "A-1")
    dock.tell(short(dock, "A-1"), version=3)
    assert pick_up(dock.carrier, now=dock.clock.now).asked == 0

    dock.tell(filled(dock, "A-1"), version=4)

    assert pick_up(dock.carrier, now=dock.clock.now).moved == 1


def test_old_news_of_missing_goods_stops_nothing(dock: Dock) -> None:
    ready(dock, "A-1")

    dock.tell(filled(dock, "A-1"), version=4)
    dock.tell(short(dock, "A-1"), version=3)

    assert dock.shipment("A-1").stop_reason == ""


def test_confirmed_twice_is_ready_since_the_first_time(dock: Dock) -> None:
    ready(dock, "A-1")
    since = dock.shipment("A-1").ready_at

    dock.clock.forward(hours=1)
    dock.confirm("A-1", "nobody's")

    assert dock.shipment("A-1").ready_at == since


def test_of_two_parcels_the_live_one_may_leave_whatever_else_is_heard(dock: Dock) -> None:
    for order in ("A-1", "A-2"):
        dock.book(order)
        younger_and_voided(dock, order)

    dock.confirm("A-1")
    confirmed = OrderConfirmed(order_id=dock.id("A-2"), shop_id=dock.shop_id)
    dock.tell(confirmed, short(dock, "A-1"), version=3)

    ready = Shipment.objects.exclude(ready_at=None)
    assert [(s.order_id, s.state) for s in ready.order_by("id")] == [
        (dock.id("A-1"), State.LABEL_BOUGHT),
        (dock.id("A-2"), State.LABEL_BOUGHT),
    ]


def test_the_commands_move_everything_in_batches(dock: Dock) -> None:
    ready(dock, *(f"A-{n}" for n in range(5)))

    assert run("pick_up", "--limit", "2") == "2 parcels handed over; 0 were left where they are.\n"
    assert run("pick_up", "--all", "--limit", "2") == "3 parcels handed over; 0 were left where they are.\n"
    assert run("deliver", "--all") == "5 parcels delivered; 0 were left where they are.\n"
    assert run("deliver", "--all") == "0 parcels delivered; 0 were left where they are.\n"

    assert Shipment.objects.filter(state=State.DELIVERED).count() == 5


def test_the_commands_are_patient_with_the_carrier_and_say_when_they_give_up(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shipping.management.moving.MovingCommand.pause", 0)
    ready(dock, "A-1", "A-2")
    dock.carrier.script("pickups", "", "unavailable", times=2)
    assert run("pick_up") == "2 parcels handed over; 0 were left where they are.\n"

    dock.carrier.script("deliveries", "", "unavailable", times=5)
    with pytest.raises(CommandError, match="Run it again"):
        run("deliver")
    with pytest.raises(CommandError, match="1 to 500"):
        run("deliver", "--limit", "0")


def younger_and_voided(dock: Dock, order: str) -> None:
    """Another parcel of an order, which came later and came to nothing."""
    other = dock.shipment(order)
    other.id, other.key, other.state, other.carrier_id = uuid7(), uuid7(), State.VOIDED, ""
    other.save(force_insert=True)


def run(name: str, *arguments: str) -> str:
    """What a command says in the end."""
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def cancel_at_carrier(dock: Dock, order: str) -> Any:
    """Somebody voided a label behind our back."""
    from shipping.carriers.base import CancelShipment

    return CancelShipment(key=uuid7(), shipment_id=dock.shipment(order).carrier_id)


@pytest.mark.django_db(transaction=True)
def test_f51_cancellations_and_pick_ups_at_once_have_one_winner_each(dock: Dock) -> None:
    orders = [f"A-{n}" for n in range(40)]
    ready(dock, *orders)
    errors: list[BaseException] = []
    barrier = threading.Barrier(2)

    def work(act: Any) -> None:
        try:
            barrier.wait(10)
            act()
        except BaseException as error:  # noqa: BLE001 - raised by the test's own thread
            errors.append(error)
        finally:
            connection.close()

    def collect() -> None:
        last = None
        while (moved := pick_up(dock.carrier, now=dock.clock.now, limit=3, after=last)).last:
            last = moved.last

    def give_back() -> None:
        for order in orders[::-1]:
            dock.run(dock.withdrawal(order, whole=True))

    threads = [threading.Thread(target=work, args=(act,)) for act in (collect, give_back)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert errors == []
    ends = {order: (dock.state(order), dock.story(order)[-1]) for order in orders}
    assert set(ends.values()) <= {
        (State.HANDED_OVER, "ShipmentHandedOver"), (State.VOIDED, "ShipmentCancelled"),
    }  # fmt: skip
    for order, (state, _) in ends.items():
        effects = {"labels": 1, "pickups" if state == State.HANDED_OVER else "cancellations": 1}
        assert dock.carrier.effects(order) == effects
    with transaction.atomic():
        assert Shipment.objects.filter(state=State.VOID_PENDING).count() == 0
