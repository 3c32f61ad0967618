"""What orders does when parcels move: in whatever order the news comes, and however often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory import contract as inventory
from orders import commands, receivers, repository, steps
from orders.aggregate import Order as Aggregate
from orders.models import Order, Shop
from payments import contract as payments
from sagas import log
from sagas.events import Event
from sagas.ids import uuid7
from sagas.log import Recorded, Token
from shipping import contract as shipping
from tests.orders.factories import NOW, an_order, call

MakeOrder = Callable[..., Order]

BOOKED, CANCELLED = shipping.ShipmentBooked, shipping.ShipmentCancelled
HANDED_OVER, DELIVERED = shipping.ShipmentHandedOver, shipping.ShipmentDelivered


def fact(cls: type[shipping.ShipmentEvent], order_id: UUID, shipment_id: UUID) -> Recorded:
    extra: dict[type[shipping.ShipmentEvent], dict[str, object]] = {
        BOOKED: {"tracking": "T", "lines": []},
        CANCELLED: {"reason": "r"},
        HANDED_OVER: {"lines": []},
        DELIVERED: {},
    }
    event = cls(shipment_id=shipment_id, order_id=order_id, shop_id=uuid7(), **extra[cls])
    return recorded(event, shipment_id)


def recorded(event: Event, stream: UUID) -> Recorded:
    return Recorded(Token(1, 1, 1), stream, 1, event.type, event, {}, NOW)


def deliver(events: Sequence[Recorded]) -> None:
    receivers.on_parcels(events=events, now=NOW)


def state_of(order: Order) -> str:
    order.refresh_from_db()
    return order.state


def story(order: Order) -> list[str]:
    return [r.type.removeprefix("orders.") for r in log.read(order.pk)][3:]


def test_hand_over_makes_an_order_processing_and_delivery_completes_it(confirmed: MakeOrder) -> None:
    order, parcel = confirmed(), uuid7()

    deliver([fact(BOOKED, order.pk, parcel)])
    assert state_of(order) == "confirmed"
    deliver([fact(HANDED_OVER, order.pk, parcel)])
    assert state_of(order) == "processing"
    deliver([fact(DELIVERED, order.pk, parcel)])

    assert state_of(order) == "completed"
    assert story(order) == ["OrderProcessing", "OrderCompleted"]
    assert Aggregate.from_events(log.read(order.pk)).snapshot() == Order.objects.values(
        *repository.COLUMNS
    ).get(pk=order.pk)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order_of_news", list(permutations(range(3))))
def test_f53_news_in_any_order_and_twice_end_the_same(
    confirmed: MakeOrder, order_of_news: tuple[int, ...], together: bool
) -> None:
    order, parcel = confirmed(), uuid7()
    kinds = [BOOKED, HANDED_OVER, DELIVERED]
    news = [fact(kinds[n], order.pk, parcel) for n in (*order_of_news, *order_of_news)]

    for batch in [news] if together else [[one] for one in news]:
        deliver(batch)

    assert state_of(order) == "completed"
    assert story(order) == ["OrderProcessing", "OrderCompleted"]


def test_an_order_of_two_parcels_is_completed_by_the_second(confirmed: MakeOrder) -> None:
    order, first, second = confirmed(), uuid7(), uuid7()
    deliver([fact(BOOKED, order.pk, first), fact(BOOKED, order.pk, second)])

    deliver([fact(HANDED_OVER, order.pk, first), fact(DELIVERED, order.pk, first)])
    assert state_of(order) == "processing"
    deliver([fact(DELIVERED, order.pk, second)])

    assert state_of(order) == "completed"


def test_f52_a_parcel_that_was_cancelled_is_not_waited_for(confirmed: MakeOrder) -> None:
    order, first, second = confirmed(), uuid7(), uuid7()
    deliver([fact(BOOKED, order.pk, first), fact(BOOKED, order.pk, second), fact(DELIVERED, order.pk, first)])
    assert state_of(order) == "processing"

    deliver([fact(CANCELLED, order.pk, second)])

    assert state_of(order) == "completed"


def test_an_order_all_of_whose_parcels_were_cancelled_is_not_completed(confirmed: MakeOrder) -> None:
    order, parcel = confirmed(), uuid7()

    deliver([fact(BOOKED, order.pk, parcel), fact(CANCELLED, order.pk, parcel)])

    assert (state_of(order), story(order)) == ("confirmed", [])


def test_news_of_an_order_that_was_given_back_changes_nothing(pending: MakeOrder) -> None:
    order = pending()
    steps.cancel_order([call(order.pk, cause="refused", cause_code="payments.declined")])
    version = Order.objects.get(pk=order.pk).version

    deliver([fact(CANCELLED, order.pk, uuid7()), fact(DELIVERED, order.pk, uuid7())])

    assert (state_of(order), order.version) == ("rejected", version)


def test_250_parcels_are_noted_in_as_many_statements_as_one(shop: Shop) -> None:
    batch = [an_order(shop_id=shop.pk) for _ in range(250)]
    ids = [p.order_id for p in commands.place_orders(batch, now=NOW) if isinstance(p, commands.Placed)]
    calls = [call(order_id) for order_id in ids]
    steps.place_order(calls)
    steps.confirm_order(calls)
    parcels = {order_id: uuid7() for order_id in ids}

    with CaptureQueriesContext(connection) as captured:
        deliver([fact(HANDED_OVER, order_id, parcel) for order_id, parcel in parcels.items()])

    assert len(captured) == 5
    assert Order.objects.filter(state="processing", version=4).count() == 250


def test_an_order_whose_goods_are_gone_is_held_for_a_person(confirmed: MakeOrder) -> None:
    order = confirmed()
    event = inventory.StockShort(
        reservation_id=uuid7(), order_id=order.pk, shop_id=order.shop_id, sku="85123A"
    )

    receivers.on_lost_goods(events=[recorded(event, uuid7())], now=NOW)

    order.refresh_from_db()
    assert (order.on_hold, order.needs_attention, order.hold_reason) == (True, True, "stock short: 85123A")


def test_f31_a_refund_that_failed_calls_a_person_and_holds_nothing(confirmed: MakeOrder) -> None:
    order = confirmed()
    event = payments.RefundFailed(
        payment_id=uuid7(),
        order_id=order.pk,
        shop_id=order.shop_id,
        amount_minor=100,
        currency="EUR",
        refund_id=uuid7(),
        code="card_closed",
    )

    receivers.on_failed_refunds(events=[recorded(event, uuid7())], now=NOW)

    order.refresh_from_db()
    assert (order.on_hold, order.needs_attention, order.attention_reason) == (
        False,
        True,
        "refund failed: card_closed",
    )


# --- holds that run out ---------------------------------------------------------------------------------------------


def hold(cls: type[payments.PaymentEvent], order: Order, **more: Any) -> Recorded:
    ids: dict[str, Any] = {"payment_id": uuid7(), "order_id": order.pk, "shop_id": order.shop_id}
    return recorded(cls(**ids, amount_minor=500, currency="EUR", **more), uuid7())


def test_of_several_words_about_a_hold_the_last_one_counts(confirmed: MakeOrder) -> None:
    renewed, failed, expired = confirmed(), confirmed(), confirmed()
    soon = {"until": NOW}
    receivers.on_holds_running_out(events=[hold(payments.AuthorizationExpiring, renewed, **soon)], now=NOW)

    receivers.on_holds_running_out(
        events=[
            *[hold(payments.AuthorizationExpiring, one, **soon) for one in (failed, expired)],
            hold(payments.AuthorizationRenewed, renewed, **soon),
            hold(payments.RenewalFailed, failed, **soon, code="card_expired"),
            hold(payments.PaymentExpired, expired),
        ],
        now=NOW,
    )

    flags = {o.pk: (o.attention_reason, o.on_hold) for o in Order.objects.filter(needs_attention=True)}
    assert flags == {
        failed.pk: (f"authorization runs out {NOW:%Y-%m-%d %H:%M} UTC, not renewed: card_expired", False),
        expired.pk: ("payments.authorization_expired", True),
    }


def test_many_holds_that_run_out_cost_as_many_statements_as_one(confirmed: MakeOrder) -> None:
    events = [hold(payments.AuthorizationExpiring, confirmed(), until=NOW) for _ in range(12)]

    counts = []
    for batch in (events[:1], events[1:]):
        with CaptureQueriesContext(connection) as captured:
            receivers.on_holds_running_out(events=batch, now=NOW)
        counts.append(len(captured))

    assert counts[0] == counts[1]
