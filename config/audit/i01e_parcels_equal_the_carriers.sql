-- I1: Every shipment stands where the carrier says its parcel is.
SELECT 'shipment ' || s.reference, s.state, coalesce(c.status, 'no such parcel')
  FROM shipping_shipment s LEFT JOIN provider_parcel c ON c.id = s.carrier_id
 WHERE s.carrier_id <> ''
   AND coalesce(c.status, '') <> ALL (CASE s.state
         WHEN 'label_bought' THEN ARRAY['booked'] WHEN 'voided' THEN ARRAY['cancelled']
         WHEN 'handed_over' THEN ARRAY['in_transit', 'out_for_delivery', 'delayed', 'ready_for_pickup', 'delivery_failed',
                                       'return_to_sender', 'returned', 'lost', 'delivered']
         WHEN 'delivered' THEN ARRAY['delivered'] WHEN 'returned' THEN ARRAY['returned']
         WHEN 'lost' THEN ARRAY['lost', 'in_transit', 'out_for_delivery', 'return_to_sender', 'returned', 'delivered']
         ELSE ARRAY['booked', 'in_transit', 'delivered', 'cancelled'] END)
