-- I1: Every shipment stands where the carrier says its parcel is.
SELECT 'shipment ' || s.reference, s.state, coalesce(c.status, 'no such parcel')
  FROM shipping_shipment s LEFT JOIN provider_parcel c ON c.id = s.carrier_id
 WHERE s.carrier_id <> ''
   AND coalesce(c.status, '') <> ALL (CASE s.state
         WHEN 'label_bought' THEN ARRAY['booked'] WHEN 'voided' THEN ARRAY['cancelled']
         WHEN 'handed_over' THEN ARRAY['in_transit', 'delivered'] WHEN 'delivered' THEN ARRAY['delivered']
         ELSE ARRAY['booked', 'in_transit', 'delivered', 'cancelled'] END)
