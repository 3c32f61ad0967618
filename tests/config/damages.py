"""One damage for each check of the audit, which that check must see."""

from __future__ import annotations

from tests.config.damage import Damage, a_share, another, book, intent, listing, of, parcel, saga_of, sql

#: A second payment of the same order, as another saga might have made it.
TWIN = """
INSERT INTO payments_payment
SELECT (jsonb_populate_record(p, jsonb_build_object(
         'id', gen_random_uuid(), 'saga_id', gen_random_uuid(), 'provider_id', 'pi_twin'))).*
  FROM payments_payment p WHERE order_id = """

DAMAGES: dict[str, Damage] = {
    "i01a_one_hold_per_intent": listing(
        lambda p: p.intents.append(another(intent(p, "SENT"), id="pi_stray")), tells="pi_stray"
    ),
    "i01b_one_capture_per_order": Damage(
        "order", (
            "ALTER TABLE payments_payment DISABLE TRIGGER ALL",
            TWIN + of("SENT"),
        ),
        lambda p: p.intents.append(another(intent(p, "SENT"), id="pi_twin")),
        also=frozenset({"i03b_ledger_equals_provider", "i10d_payments_equal_their_events",
                        "i10f_payments_stand_where_their_events_left_them", "i10m_holds_equal_their_events"}),
    ),
    "i01c_refunds_known": listing(
        lambda p: p.refunds.append(
            another(p.refunds[0], id="re_stray", payment_intent=intent(p, "SENT")["id"], amount=100)
        ),
        tells="re_stray", also=("i03b_ledger_equals_provider",),
    ),
    "i01d_labels_known": listing(
        lambda p: p.parcels.append(another(parcel(p, "SENT"), id="shp_stray")), tells="shp_stray"
    ),
    "i01e_parcels_equal_the_carriers": listing(
        lambda p: parcel(p, "GONE").update(status="in_transit"), tells="GONE, voided, in_transit"
    ),
    "i01f_renewals_leave_one_hold": sql(
        "INSERT INTO payments_renewal (id, saga_id, payment_id, old_intent, new_intent, state, until, code, made_at,"
        " moved_at) SELECT gen_random_uuid(), gen_random_uuid(), id, provider_id, 'pi_new', 'done', now(), '', now(),"
        " now()"
        f" FROM payments_payment WHERE order_id = {of('GOOD')}",
        tells="done, captured",
    ),
    "i02_money_bounds": sql(
        "ALTER TABLE payments_payment DROP CONSTRAINT payments_payment_authorized_at_most_asked",
        f"UPDATE payments_payment SET authorized_minor = amount_minor + 1 WHERE order_id = {of('GOOD')}",
        tells="payment",
        also=("i10m_holds_equal_their_events",),
    ),
    "i02b_amounts_as_asked": listing(
        lambda p: intent(p, "GOOD").update(currency="usd"), tells="500, EUR, 500, USD"
    ),
    "i02c_shares_sum_to_what_was_captured": sql(
        a_share("GOOD", 100, "succeeded"), tells="captured, 500, 500, 100, 0",
        also=("i03f_shares_are_booked", "i10s_shares_equal_their_events"),
    ),
    "i02d_parcels_take_no_more_than_there_is": sql(
        f"UPDATE orders_orderline SET cancelled_quantity = 2 WHERE order_id = {of('BITS')}",
        tells="line 1 of order BITS, 1, 1, 2, 1",
        also=("i04e_reservations_are_what_was_ordered", "i10e_lines_equal_their_events",
              "i10l_orders_replay_to_their_rows"),
    ),
    "i03a_ledger_balances": sql(
        "UPDATE payments_journalline SET amount_minor = amount_minor - 1 WHERE account = 'sales'"
        f" AND entry_id = (SELECT id FROM payments_journalentry WHERE kind = 'capture' AND order_id = {of('GOOD')})",
        tells="EUR, -1",
    ),
    "i03b_ledger_equals_provider": sql(
        book("capture", "GOOD", ("provider_clearing", -7), ("sales", 7)), tells="493, 500"
    ),
    "i03c_holds_equal_provider": sql(
        book("authorization", "GOOD", ("holds", 9), ("holds_contra", -9)), tells="9, 0"
    ),
    "i03d_owed_is_promised": sql(
        book("refund_promised", "GONE", ("refunds_payable", -5), ("refunds", 5)), tells="source"
    ),
    "i03e_repaid_from_the_bank": sql(
        "UPDATE payments_journalline SET account = 'provider_fees' WHERE account = 'bank' AND entry_id ="
        " (SELECT id FROM payments_journalentry WHERE kind = 'refund_repaid')",
        tells="500, 0",
    ),
    "i03f_shares_are_booked": sql(
        a_share("GOOD", 500, "succeeded"), tells="500, 0", also=("i10s_shares_equal_their_events",)
    ),
    "i04a_stock_never_negative": sql(
        "ALTER TABLE inventory_stock DROP CONSTRAINT inventory_stock_never_promises_more_than_there_is",
        "UPDATE inventory_stock SET unavailable = 1000", tells="MUG",
    ),
    "i04b_on_hand_is_its_movements": sql("UPDATE inventory_stock SET on_hand = on_hand + 1", tells="MUG"),
    "i04c_counters_are_reservations": sql(
        "UPDATE inventory_stock SET allocated = allocated + 1", tells="MUG"
    ),
    "i04d_shelf_equals_parcels": sql(
        f"UPDATE shipping_shipmentline SET quantity = quantity + 1 WHERE shipment_id ="
        f" (SELECT id FROM shipping_shipment WHERE order_id = {of('SENT')})", tells="MUG, 3, 2",
        also=("i10p_parcel_lines_equal_their_events",),
    ),
    "i04e_reservations_are_what_was_ordered": sql(
        f"UPDATE inventory_reservationline SET quantity = quantity + 1, withdrawn = 0, consumed = consumed + 1"
        f" WHERE reservation_id = (SELECT id FROM inventory_reservation WHERE order_id = {of('SENT')})",
        tells="SENT, processing, MUG, 2, 3",
        also=("i10o_reservation_lines_equal_their_events",),
    ),
    "i04f_returned_goods_are_on_the_shelf": sql(
        "UPDATE orders_returnline SET restock = 2 WHERE accepted = 2", tells="MUG, 2, 1",
        also=("i10r_returns_equal_their_events",),
    ),
    "i05_no_stock_of_ended_orders": sql(
        f"UPDATE inventory_reservation SET order_id = {of('POOR')} WHERE order_id = {of('GOOD')}",
        tells="POOR, rejected, allocated, 1", also=("i04e_reservations_are_what_was_ordered",),
    ),
    "i06a_no_hold_of_ended_orders": sql(
        f"UPDATE payments_payment SET state = 'voiding' WHERE order_id = {of('FAR')}", tells="FAR, rejected, voiding",
        also=("i10f_payments_stand_where_their_events_left_them", "i12b_views_equal_payments_goods_and_parcels"),
    ),
    "i06b_no_hold_at_the_provider": listing(
        lambda p: intent(p, "FAR").update(status="requires_capture", amount_capturable=500),
        tells="FAR, rejected, pi_", also=("i03c_holds_equal_provider",),
    ),
    "i06c_ended_orders_gave_all_back": sql(
        book("release", "FAR", ("sales", -500), ("customer_credit", 500)), tells="FAR, rejected, -500",
        also=("i03d_owed_is_promised",),
    ),
    "i06d_cancelled_parcels_keep_no_money": sql(
        "UPDATE payments_refund SET saga_id = gen_random_uuid() WHERE saga_id ="
        " (SELECT cancel_saga_id FROM orders_fulfilmentorder WHERE state = 'cancelled')",
        tells="parcel 1 of order BITS, 500, 0, 0",
    ),
    "i07_nothing_left_unpaid": sql(
        f"UPDATE shipping_shipment SET order_id = {of('NONE')} WHERE order_id = {of('SENT')}",
        tells="NONE, rejected, 495000, 0",
    ),
    "i08a_every_order_has_a_saga": sql(
        f"UPDATE sagas_saga SET subject_id = gen_random_uuid() WHERE id = {saga_of('GOOD')}",
        tells="GOOD, confirmed, no saga",
    ),
    "i08b_no_lock_without_a_saga": sql(
        f"UPDATE orders_order SET lock_saga = {saga_of('GOOD')}, lock_kind = 'cancel', lock_since = now()"
        " WHERE external_reference = 'GOOD'",
        tells="GOOD, cancel, completed",
        also=("i10l_orders_replay_to_their_rows",),
    ),
    "i08c_parked_sagas_call_a_person": sql(
        f"UPDATE sagas_saga SET finished_at = NULL, hold = 'parked', hold_reason = 'x', hold_owner = 'x', hold_since"
        f" = now(), state = 'running' WHERE id = {saga_of('GOOD')}",
        tells="GOOD, confirmed, orders.fulfil_order, x",
    ),
    "i08d_credit_notes_end": sql(
        "UPDATE orders_creditnote SET refund_minor = refund_minor + 1 WHERE state = 'applied'", tells="note C-"
    ),
    "i08e_wrong_addresses_wait_for_somebody": sql(
        "UPDATE shipping_shipment SET correct_until = NULL WHERE state = 'address_wrong'",
        tells="parcel ODD, pending, for ever",
    ),
    "i08f_refund_requests_end": sql(
        "UPDATE orders_refundrequest SET refunded_minor = 0, owed_minor = 400, state = 'owed'"
        f" WHERE ended_at IS NOT NULL AND order_id = {of('BANK')}",
        tells="owed, completed, 0, 400, 0, 500, 0",
        also=("i10q_refund_requests_equal_their_events",),
    ),
    "i08g_returns_end_with_their_saga": sql(
        "UPDATE orders_return SET refund_minor = 500, credit_minor = 500 WHERE state = 'closed'",
        tells="return 1 of COME, closed, completed, 500, 500, 1000, 0",
    ),
    "i08h_parcels_have_a_saga": sql(
        "UPDATE orders_fulfilmentorder SET state = 'cancelling' WHERE state = 'cancelled'",
        tells="parcel 1 of order BITS, cancelling, completed",
        also=("i02d_parcels_take_no_more_than_there_is", "i10t_parcels_equal_their_events"),
    ),
    "i08i_open_shares_have_a_saga": sql(a_share("BITS", 100, "unknown"), tells="unknown, no saga"),
    "i08p_orders_end_with_their_last_parcel": sql(
        f"UPDATE orders_parcel SET handed_over = true, delivered = true WHERE order_id = {of('LAST')}",
        tells="order LAST, confirmed, 2",
    ),
    "i09a_no_silent_saga": sql(
        f"UPDATE sagas_saga SET finished_at = NULL, state = 'running' WHERE id = {saga_of('GOOD')}",
        tells="GOOD, orders.fulfil_order, running, none",
    ),
    "i09b_final_sagas_left_nothing": sql(
        "UPDATE sagas_step SET state = 'gave_up' WHERE name = 'payments.void_authorization'"
        f" AND saga_id = {saga_of('FAR')}",
        tells="FAR, compensated, payments.void_authorization, gave_up",
    ),
    "i10a_streams_have_no_gaps": sql(
        "UPDATE sagas_event SET version = 9 WHERE type = 'inventory.StockMoved'", tells="1, 9, 9"
    ),
    "i10b_orders_equal_their_events": sql(
        "UPDATE orders_order SET state = 'completed' WHERE external_reference = 'SENT'",
        tells="SENT, completed, orders.OrderProcessing",
        also=("i10l_orders_replay_to_their_rows", "i12a_views_equal_orders"),
    ),
    "i10c_totals_equal_their_lines": sql(
        "ALTER TABLE orders_orderline DROP CONSTRAINT orders_line_total_is_exact",
        f"UPDATE orders_orderline SET total_minor = total_minor - 1 WHERE order_id = {of('GOOD')}",
        tells="GOOD, 500, 499, 500",
        also=("i10l_orders_replay_to_their_rows",),
    ),
    "i10d_payments_equal_their_events": sql(
        "UPDATE sagas_event SET data = jsonb_set(data, '{amount_minor}', '501') WHERE type = 'payments.PaymentCaptured'"
        f" AND (data ->> 'order_id')::uuid = {of('GOOD')}",
        tells="500, 501, 0, 0",
    ),
    "i10e_lines_equal_their_events": sql(
        f"UPDATE orders_orderline SET returned_quantity = 0 WHERE order_id = {of('BACK')}", tells="line 1 of order",
        also=("i10l_orders_replay_to_their_rows",),
    ),
    "i10f_payments_stand_where_their_events_left_them": sql(
        f"UPDATE payments_payment SET state = 'voided' WHERE order_id = {of('POOR')}",
        tells="voided, payments.PaymentDeclined", also=("i12b_views_equal_payments_goods_and_parcels",),
    ),
    "i10g_reservations_stand_where_their_events_left_them": sql(
        f"UPDATE inventory_reservation SET state = 'short' WHERE order_id = {of('FAR')}",
        tells="short, inventory.StockReleased", also=("i12b_views_equal_payments_goods_and_parcels",),
    ),
    "i10h_shipments_stand_where_their_events_left_them": sql(
        f"UPDATE shipping_shipment SET state = 'voided' WHERE order_id = {of('FAR')}",
        tells="FAR, voided, shipping.ShipmentRefused", also=("i12b_views_equal_payments_goods_and_parcels",),
    ),
    "i10i_movements_have_an_event": sql(
        "UPDATE sagas_event SET type = 'x.Lost' WHERE type = 'inventory.GoodsRestocked'", tells="movement of key"
    ),
    "i10j_facts_name_an_actor": sql(
        "UPDATE sagas_event SET metadata = metadata - 'actor' WHERE type = 'orders.OrderRejected'",
        tells="orders.OrderRejected",
    ),
    "i10k_acts_have_an_event": sql(
        "UPDATE sagas_event SET metadata = metadata - 'reason' WHERE type = 'sagas.OperatorActed'",
        tells="retry, 1, 0",
    ),
    "i10l_orders_replay_to_their_rows": sql(
        f"UPDATE orders_order SET country = 'FR' WHERE id = {of('SENT')}", tells="order SENT, country, FR, DE",
        also=("i12a_views_equal_orders",),
    ),
    "i10m_holds_equal_their_events": sql(
        f"UPDATE payments_payment SET authorized_minor = 0, captured_minor = 0 WHERE order_id = {of('NONE')}"
        f" OR order_id = {of('FAR')}", tells="0, 500, EUR, EUR",
    ),
    "i10n_refunds_and_credits_equal_their_events": sql(
        "UPDATE sagas_event SET data = jsonb_set(data, '{source_id}', to_jsonb(gen_random_uuid()))"
        " WHERE type = 'payments.CustomerCredited'", tells="credit",
    ),
    "i10o_reservation_lines_equal_their_events": sql(
        f"UPDATE inventory_reservationline SET quantity = quantity + 1"
        f" WHERE reservation_id = (SELECT id FROM inventory_reservation WHERE order_id = {of('FAR')})",
        tells="MUG, 2, 1, 0, 0, 0, 0",
    ),
    "i10p_parcel_lines_equal_their_events": sql(
        f"UPDATE shipping_shipmentline SET quantity = quantity + 1 WHERE shipment_id ="
        f" (SELECT id FROM shipping_shipment WHERE order_id = {of('GOOD')})", tells="shipping.ShipmentBooked, 2, 1",
    ),
    "i10q_refund_requests_equal_their_events": sql(
        "UPDATE orders_refundrequest SET state = 'awaiting_approval', decided_by = '', decided_at = NULL,"
        " decision_reason = '' WHERE state = 'declined'",
        tells="awaiting_approval, 2, 2, 1, 1",
    ),
    "i10r_returns_equal_their_events": sql(
        "UPDATE orders_returnline SET asked = 3"
        " WHERE back_id IN (SELECT id FROM orders_return WHERE state = 'requested')",
        tells="requested, orders.ReturnRequested, 1, 1",
    ),
    "i10t_parcels_equal_their_events": sql(
        "UPDATE orders_fulfilmentorder SET state = 'given_up', ready_at = NULL WHERE state = 'ready'",
        tells="given_up, 2, 2, 500, 500", also=("i02d_parcels_take_no_more_than_there_is",),
    ),
    "i10s_shares_equal_their_events": sql(
        a_share("POOR", 500, "failed"), tells="failed, no event, 500, 0, 0",
    ),
    "i11_webhooks_are_accounted_for": sql(
        "INSERT INTO webhooks_endpoint (id, shop_id, url, description, event_types, state, state_code, state_since,"
        " secret_number, secret_key, previous_key, asked_era, asked_xid, failures, made_at)"
        " SELECT gen_random_uuid(), shop_id, 'https://shop.example/', '', '{orders.OrderPlaced}', 'enabled', '',"
        f" now(), 1, '', '', 0, 0, 0, now() FROM orders_order WHERE id = {of('DONE')}",
        "INSERT INTO sagas_checkpoint (subscription, shard, era, xid, position, state, error)"
        " VALUES ('webhooks.fan_out', 0, 1000, 0, 0, 'running', '')"
        " ON CONFLICT (subscription, shard) DO UPDATE SET era = 1000",
        tells="orders.OrderPlaced",
    ),
    "i12a_views_equal_orders": sql(
        f"UPDATE orders_orderview SET end_code = 'x.other' WHERE order_id = {of('POOR')}", tells="order POOR"
    ),
    "i12b_views_equal_payments_goods_and_parcels": sql(
        f"UPDATE orders_orderview SET shipment_state = 'voided' WHERE order_id = {of('SENT')}",
        tells="parcel of SENT, voided, handed_over",
    ),
    "i12c_summaries_equal_views": sql(
        "UPDATE orders_ordersummary SET orders = orders + 1 WHERE status = 'confirmed'", tells="confirmed, EUR, 4, 3"
    ),
    "i12d_views_hold_what_was_delivered": sql(
        f"UPDATE orders_orderview SET payment_version = payment_version - 1 WHERE order_id = {of('GOOD')}",
        tells="payment of GOOD, 1, 2",
    ),
}  # fmt: skip
