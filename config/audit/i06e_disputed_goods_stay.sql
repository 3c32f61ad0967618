-- I6: No parcel left for an order while the customer's bank disputed its payment, or had taken it, and no person had let it go.
-- What the carrier was taking just then is not counted.
SELECT 'order ' || o.external_reference, s.carrier_id, s.state, h.held, h.moved_at
  FROM shipping_hold h JOIN shipping_shipment s ON s.order_id = h.order_id AND s.state IN ('handed_over', 'delivered')
  JOIN orders_order o ON o.id = h.order_id
  JOIN sagas_event e ON e.stream = s.id AND e.type = 'shipping.ShipmentHandedOver'
 WHERE h.held AND e.at > h.moved_at + interval '1 minute'
