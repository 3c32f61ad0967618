-- I1: Every paid label at the carrier is one shipment of ours, or one we are just asking about.
SELECT 'parcel ' || c.id, c.status, c.reference
  FROM provider_parcel c
 WHERE c.status <> 'cancelled'
   AND NOT EXISTS (SELECT FROM shipping_shipment s WHERE s.carrier_id = c.id OR c.id = ANY (s.surplus))
   AND NOT EXISTS (SELECT FROM shipping_shipment s WHERE s.reference = c.reference AND s.carrier_id = ''
                      AND s.state IN ('label_pending', 'unknown', 'void_pending'))
