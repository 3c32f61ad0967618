-- I12: A view that has seen all of its order's events says what the order's row says.
SELECT 'order ' || o.external_reference, o.version, v.state, o.state, v.total_minor, o.total_minor
  FROM orders_order o JOIN orders_orderview v ON v.order_id = o.id AND v.version = o.version
 WHERE v.slot = coalesce((SELECT live_slot FROM sagas_projection WHERE name = 'orders.view'), 1)
   AND (v.shop_id, v.external_reference, v.person_id, v.state, v.on_hold, v.hold_reason, v.needs_attention,
        v.attention_reason, v.end_code, v.currency, v.total_minor, v.goods_minor, v.charges_minor, v.cancelled_minor,
        v.returned_minor, v.country, v.charges, v.placed_at, v.received_at, v.moved_at, v.placed_on)
       IS DISTINCT FROM
       (o.shop_id, o.external_reference, o.person_id, o.state, o.on_hold, o.hold_reason, o.needs_attention,
        o.attention_reason, o.end_code, o.currency, o.total_minor, o.goods_minor, o.charges_minor, o.cancelled_minor,
        o.returned_minor, o.country, o.charges, o.placed_at, o.received_at, o.moved_at,
        (o.placed_at AT TIME ZONE 'UTC')::date)
