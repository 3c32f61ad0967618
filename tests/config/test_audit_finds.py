"""Each check of the audit sees what it is there to see: the books are broken by hand in one place, and it says so."""

from __future__ import annotations

import pytest

from config.audit import audit
from config.audit.listing import Listing
from tests.config.damage import Damage, damaged, of, sql
from tests.config.damages import DAMAGES
from tests.config.honest_shop import books
from tests.scenarios.fulfilment import sandbox

__all__ = ["books", "sandbox"]

pytestmark = pytest.mark.django_db(transaction=True)

#: What else can be wrong with money that people had paid back, by the check that must see it.
OF_REFUNDS: list[tuple[str, Damage]] = [
    ("i02_money_bounds", sql(
        "ALTER TABLE payments_refund DROP CONSTRAINT payments_refund_amounts_not_negative",
        "UPDATE payments_refund SET amount_minor = 501 WHERE state = 'repaid'", tells="500, 500, 501",
        also=("i03d_owed_is_promised", "i03e_repaid_from_the_bank", "i08f_refund_requests_end",
              "i10n_refunds_and_credits_equal_their_events"),
    )),
    ("i03d_owed_is_promised", sql(
        "UPDATE payments_payment SET repaid_minor = 0 WHERE repaid_minor > 0", tells="0, 0, 0, 500",
        also=("i10d_payments_equal_their_events", "i12b_views_equal_payments_goods_and_parcels"),
    )),
    ("i10b_orders_equal_their_events", sql(
        f"UPDATE orders_order SET refunded_minor = 0 WHERE id = {of('PART')}", tells="PART, processing",
        also=("i10l_orders_replay_to_their_rows", "i10q_refund_requests_equal_their_events"),
    )),
    ("i10e_lines_equal_their_events", sql(
        f"UPDATE orders_orderline SET refunded_quantity = 2 WHERE order_id = {of('PART')}", tells="line 1 of order",
        also=("i10l_orders_replay_to_their_rows",),
    )),
    ("i10e_lines_equal_their_events", sql(
        f"UPDATE orders_orderline SET refunded_minor = 499 WHERE order_id = {of('PART')}", tells="1, 1, 499, 500",
        also=("i10l_orders_replay_to_their_rows",),
    )),
    ("i10n_refunds_and_credits_equal_their_events", sql(
        "UPDATE payments_refund SET repaid_by = 'eve' WHERE state = 'repaid'", tells="repaid refund",
    )),
]  # fmt: skip

#: What else can be wrong with orders in parcels.
OF_PARCELS: list[tuple[str, Damage]] = [
    ("i02d_parcels_take_no_more_than_there_is", sql(
        "UPDATE orders_fulfilmentorder SET share_minor = 1100 WHERE state = 'ready'", tells="shares of order BITS",
        also=("i10t_parcels_equal_their_events",),
    )),
    ("i02d_parcels_take_no_more_than_there_is", sql(
        "DELETE FROM payments_capture WHERE saga_id ="
        " (SELECT saga_id FROM orders_fulfilmentorder WHERE state = 'ready' AND number = 2)",
        tells="parcel 2 of order BITS, 500, 0",
        also=("i02c_shares_sum_to_what_was_captured", "i03f_shares_are_booked", "i10s_shares_equal_their_events"),
    )),
    ("i07_nothing_left_unpaid", sql(
        f"UPDATE payments_payment SET captured_minor = 499, refunded_minor = 0 WHERE order_id = {of('BITS')}",
        f"UPDATE shipping_shipment SET state = 'handed_over' WHERE order_id = {of('BITS')} AND state = 'label_bought'",
        tells="order BITS, confirmed, 500, 499",
        also=("i01e_parcels_equal_the_carriers", "i02_money_bounds", "i02c_shares_sum_to_what_was_captured",
              "i03d_owed_is_promised", "i04d_shelf_equals_parcels", "i10d_payments_equal_their_events",
              "i10h_shipments_stand_where_their_events_left_them",
              "i12b_views_equal_payments_goods_and_parcels"),
    )),
    ("i08h_parcels_have_a_saga", sql(
        "UPDATE orders_fulfilmentorder SET state = 'claimed', ready_at = NULL WHERE state = 'ready'",
        tells="parcel 2 of order BITS, claimed, completed", also=("i10t_parcels_equal_their_events",),
    )),
    ("i10t_parcels_equal_their_events", sql(
        "UPDATE orders_fulfilmentorder SET lines = '[]' WHERE state = 'ready'", tells="ready, 2, 2",
    )),
]  # fmt: skip

#: What else can be wrong with goods that came back.
OF_RETURNS: list[tuple[str, Damage]] = [
    ("i04f_returned_goods_are_on_the_shelf", sql(
        "UPDATE inventory_movement SET asked = asked + 1 WHERE kind = 'return' AND source_id IN (SELECT t.key FROM"
        " sagas_step t JOIN orders_return r ON r.saga_id = t.saga_id)", tells="MUG, 1, 2",
    )),
    ("i08g_returns_end_with_their_saga", sql(
        "UPDATE orders_return SET state = 'requested' WHERE state = 'withdrawn'",
        tells="return 3 of COME, requested, compensated", also=("i10r_returns_equal_their_events",),
    )),
    ("i08g_returns_end_with_their_saga", sql(
        "UPDATE orders_return SET saga_id = gen_random_uuid() WHERE state = 'withdrawn'",
        tells="withdrawn, no saga",
    )),
    ("i10r_returns_equal_their_events", sql(
        "UPDATE orders_return SET state = 'received', received_at = now() WHERE state = 'requested'",
        tells="received, orders.ReturnRequested",
    )),
    ("i10r_returns_equal_their_events", sql(
        "UPDATE orders_returnline SET rejected = 0, received = 2 WHERE rejected = 1",
        tells="closed, orders.ReturnClosed",
    )),
    ("i10r_returns_equal_their_events", sql(
        "DELETE FROM sagas_event WHERE type = 'orders.ReturnInspected'", tells="closed, orders.ReturnClosed",
        also=("i10a_streams_have_no_gaps",),
    )),
]  # fmt: skip


def test_the_books_of_an_honest_shop_balance(books: Listing) -> None:
    assert [f for f in audit(books) if f.breaches or f.skipped] == []


def test_a_read_side_that_lags_is_no_breach(books: Listing) -> None:
    late = sql(
        *(
            f"DELETE FROM {table}"
            for table in ("orders_orderview", "orders_ordersummary", "orders_orderviewsku")
        ),
        "UPDATE sagas_checkpoint SET era = 0, xid = 0, position = 0 WHERE subscription = 'orders.view'",
        tells="",
    )

    assert damaged(books, late) == {}


@pytest.mark.parametrize(("name", "damage"), [*OF_REFUNDS, *OF_PARCELS, *OF_RETURNS])
def test_what_is_wrong_with_a_refund_or_a_return_is_found_too(
    books: Listing, name: str, damage: Damage
) -> None:
    found = damaged(books, damage)

    assert set(found) == {name, *damage.also}
    assert any(damage.tells in example for example in found[name].examples), found[name].examples


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_found_by_the_check_that_looks_for_it(books: Listing, name: str) -> None:
    damage = DAMAGES[name]

    found = damaged(books, damage)

    assert set(found) == {name, *damage.also}
    assert any(damage.tells in example for example in found[name].examples), found[name].examples
