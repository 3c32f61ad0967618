-- I10: What was taken out of a parcel, and what it held when it was booked and handed over, is what its events say.
WITH told AS (
  SELECT e.stream AS shipment_id, e.version, e.type, l ->> 'sku' AS sku, (l ->> 'quantity')::bigint AS quantity
    FROM sagas_event e, jsonb_array_elements(e.data -> 'lines') AS l
   WHERE e.type IN ('shipping.ShipmentBooked', 'shipping.ShipmentWithdrawn', 'shipping.ShipmentHandedOver')
), taken AS (
  SELECT shipment_id, sku, sum(quantity) AS quantity
    FROM told WHERE type = 'shipping.ShipmentWithdrawn' GROUP BY 1, 2
), packed AS (
  -- A parcel's content at one of its events, with what was taken out of it until then.
  SELECT t.shipment_id, t.sku, t.type, t.quantity + coalesce(sum(w.quantity), 0) AS quantity
    FROM told t
    LEFT JOIN told w ON w.shipment_id = t.shipment_id AND w.sku = t.sku AND w.version < t.version
                    AND w.type = 'shipping.ShipmentWithdrawn'
   WHERE t.type <> 'shipping.ShipmentWithdrawn' GROUP BY t.shipment_id, t.sku, t.type, t.version, t.quantity
)
SELECT 'parcel ' || coalesce(w.shipment_id, l.shipment_id), coalesce(w.sku, l.sku), 'taken out',
       coalesce(l.withdrawn, 0), coalesce(w.quantity, 0)
  FROM taken w FULL JOIN shipping_shipmentline l ON l.shipment_id = w.shipment_id AND l.sku = w.sku
 WHERE coalesce(l.withdrawn, 0) <> coalesce(w.quantity, 0)
UNION ALL
SELECT 'parcel ' || p.shipment_id, p.sku, p.type, coalesce(l.quantity, 0), p.quantity
  FROM packed p LEFT JOIN shipping_shipmentline l ON l.shipment_id = p.shipment_id AND l.sku = p.sku
 WHERE l.quantity IS DISTINCT FROM p.quantity
