"""The replay and the checks beside it compare every column, line and amount, and go on past what cannot be read."""

from __future__ import annotations

import pytest

from config.audit.listing import Listing
from config.audit.replay import replay_orders
from tests.config.damage import Damage, damaged, of, saga_of, sql
from tests.config.honest_shop import books
from tests.scenarios.fulfilment import sandbox

__all__ = ["books", "sandbox"]

pytestmark = pytest.mark.django_db(transaction=True)

#: Other things the same checks are there to see.
MORE: list[tuple[str, Damage]] = [
    ("i08e_wrong_addresses_wait_for_somebody", sql(
        f"UPDATE sagas_step SET wake_at = NULL WHERE name = 'shipping.book_shipment' AND saga_id = {saga_of('ODD')}",
        tells="parcel ODD, pending", also=("i09a_no_silent_saga",))),
    ("i08e_wrong_addresses_wait_for_somebody", sql(
        "UPDATE shipping_shipment SET state = 'label_pending' WHERE state = 'address_wrong'",
        tells="order ODD, pending, shipping.address_to_correct, no parcel")),
    ("i10g_reservations_stand_where_their_events_left_them", sql(
        f"UPDATE inventory_reservation SET expires_at = expires_at + interval '1 s' WHERE order_id = {of('ODD')}",
        tells="held, inventory.StockReserved")),
    ("i10l_orders_replay_to_their_rows", sql(
        f"UPDATE orders_order SET person_id = gen_random_uuid() WHERE id = {of('SENT')}", tells="SENT, person_id",
        also=("i12a_views_equal_orders",))),
    ("i10l_orders_replay_to_their_rows", sql(
        f"UPDATE orders_orderline SET name = 'Cup' WHERE order_id = {of('SENT')}", tells="order SENT, line 1")),
    ("i10l_orders_replay_to_their_rows", sql(
        f"DELETE FROM orders_orderline WHERE order_id = {of('SENT')}", tells="line 1, no row")),
    ("i10l_orders_replay_to_their_rows", sql(
        f"UPDATE orders_order SET received_at = received_at + interval '1 microsecond' WHERE id = {of('SENT')}",
        tells="order SENT, received_at")),
    ("i10l_orders_replay_to_their_rows", sql(
        f"DELETE FROM sagas_event WHERE version = 2 AND stream = {of('SENT')}",
        tells="order SENT, cannot be replayed: Stream")),
    ("i10l_orders_replay_to_their_rows", sql(
        f"DELETE FROM sagas_event WHERE stream = {of('SENT')}", tells="cannot be replayed: There is no such order.")),
    ("i10l_orders_replay_to_their_rows", sql(
        f"UPDATE sagas_event SET data = data - 'currency' WHERE version = 1 AND stream = {of('SENT')}",
        tells="cannot be replayed")),
    ("i10l_orders_replay_to_their_rows", sql(
        f"DELETE FROM orders_order WHERE id = {of('SENT')}", tells="no row")),
    ("i10l_orders_replay_to_their_rows", sql(
        "INSERT INTO orders_snapshot SELECT id, version, 'x', '{}', now() FROM orders_order",
        f"UPDATE orders_order SET country = 'FR' WHERE id = {of('SENT')}", tells="country, FR, DE")),
    ("i10m_holds_equal_their_events", sql(
        f"UPDATE payments_payment SET currency = 'USD' WHERE order_id = {of('SENT')}", tells="USD, EUR")),
    ("i10n_refunds_and_credits_equal_their_events", sql(
        "UPDATE payments_refund SET amount_minor = amount_minor + 5 WHERE state = 'succeeded'", tells="refund")),
    ("i10n_refunds_and_credits_equal_their_events", sql(
        "DELETE FROM sagas_event WHERE type = 'payments.PaymentRefunded'", tells="0, 0")),
    ("i10n_refunds_and_credits_equal_their_events", sql(
        "DELETE FROM sagas_event WHERE type = 'payments.CustomerCredited'", tells="credit")),
    ("i10o_reservation_lines_equal_their_events", sql(
        f"UPDATE inventory_reservationline SET consumed = 0 WHERE reservation_id ="
        f" (SELECT id FROM inventory_reservation WHERE order_id = {of('SENT')})", tells="MUG, 2, 2, 0, 0, 0, 2")),
    ("i10o_reservation_lines_equal_their_events", sql(
        f"UPDATE inventory_reservationline SET withdrawn = 1 WHERE reservation_id ="
        f" (SELECT id FROM inventory_reservation WHERE order_id = {of('GOOD')})", tells="MUG, 1, 1, 1, 0, 0, 0")),
    ("i10p_parcel_lines_equal_their_events", sql(
        f"UPDATE shipping_shipmentline SET withdrawn = 1 WHERE shipment_id ="
        f" (SELECT id FROM shipping_shipment WHERE order_id = {of('GOOD')})", tells="taken out, 1, 0")),
    ("i10p_parcel_lines_equal_their_events", sql(
        "UPDATE sagas_event SET data = jsonb_set(data, '{lines,0,quantity}', '9')"
        " WHERE type = 'shipping.ShipmentHandedOver'", tells="shipping.ShipmentHandedOver, 2, 9")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "damage"), MORE, ids=lambda one: one if isinstance(one, str) else "")
def test_a_check_sees_all_that_it_promises(books: Listing, name: str, damage: Damage) -> None:
    found = damaged(books, damage)

    assert any(damage.tells in example for example in found[name].examples), found[name].examples


def test_the_replay_goes_in_batches_and_says_how_far_it_is(books: Listing) -> None:
    heard: list[int] = []

    found = list(replay_orders(heard.append, batch=4))

    assert found == []
    assert heard == [4, 8, 12, 15]


def test_a_breach_in_every_order_is_counted_and_five_are_shown(books: Listing) -> None:
    found = damaged(books, sql("UPDATE orders_order SET country = 'FR'", tells=""))

    replay = found["i10l_orders_replay_to_their_rows"]
    assert (replay.breaches, len(replay.examples)) == (15, 5)
