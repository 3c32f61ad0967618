-- I12: A view that has seen all events of a payment, reservation or shipment agrees with its row.
WITH v AS (
  SELECT * FROM orders_orderview WHERE slot = coalesce((SELECT live_slot FROM sagas_projection WHERE name = 'orders.view'), 1)
)
SELECT 'payment of ' || v.external_reference, v.payment_state, p.state, v.captured_minor, p.captured_minor,
       v.refunded_minor, p.refunded_minor + p.repaid_minor
  FROM v JOIN payments_payment p ON p.id = v.payment_id AND p.version = v.payment_version
 WHERE (v.captured_minor, v.refunded_minor) <> (p.captured_minor, p.refunded_minor + p.repaid_minor)
    OR p.state <> ALL (CASE v.payment_state
         WHEN '' THEN ARRAY['created', 'authorizing', 'voiding', 'unknown']
         WHEN 'requires_action' THEN ARRAY['requires_action', 'voiding', 'unknown']
         WHEN 'authorized' THEN ARRAY['authorized', 'capturing', 'voiding', 'unknown']
         WHEN 'capture_failed' THEN ARRAY['capture_failed', 'voiding', 'unknown']
         WHEN 'partly_refunded' THEN ARRAY['captured'] WHEN 'refunded' THEN ARRAY['captured']
         ELSE ARRAY[v.payment_state::text] END)
UNION ALL
SELECT 'goods of ' || v.external_reference, v.stock_state, r.state, NULL, NULL, NULL, NULL
  FROM v JOIN inventory_reservation r ON r.id = v.reservation_id AND r.version = v.stock_version
 WHERE r.state <> ALL (CASE v.stock_state WHEN 'released' THEN ARRAY['released', 'consumed']
                         ELSE ARRAY[v.stock_state::text] END)
UNION ALL
SELECT 'parcel of ' || v.external_reference, v.shipment_state, s.state, NULL, NULL, NULL, NULL
  FROM v JOIN shipping_shipment s ON s.id = v.shipment_id AND s.version = v.shipment_version
 WHERE s.state <> ALL (CASE v.shipment_state
         WHEN '' THEN ARRAY['label_pending', 'void_pending', 'unknown', 'voided']
         WHEN 'label_bought' THEN ARRAY['label_bought', 'void_pending']
         WHEN 'unknown' THEN ARRAY['unknown', 'label_pending', 'void_pending']
         WHEN 'address_wrong' THEN ARRAY['address_wrong', 'label_pending', 'void_pending']
         WHEN 'in_transit' THEN ARRAY['handed_over'] WHEN 'out_for_delivery' THEN ARRAY['handed_over']
         WHEN 'delayed' THEN ARRAY['handed_over'] WHEN 'ready_for_pickup' THEN ARRAY['handed_over']
         WHEN 'delivery_failed' THEN ARRAY['handed_over'] WHEN 'return_to_sender' THEN ARRAY['handed_over']
         ELSE ARRAY[v.shipment_state::text] END)
    OR (s.state IN ('label_bought', 'handed_over', 'delivered', 'returned', 'lost') AND v.tracking <> s.tracking)
