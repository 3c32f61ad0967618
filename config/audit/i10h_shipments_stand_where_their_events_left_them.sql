-- I10: A shipment's row is at the version of its stream, and in a state its last event that moved it allows.
WITH last AS (
  SELECT DISTINCT ON (stream) stream, type FROM sagas_event
   WHERE type IN ('shipping.ShipmentBooked', 'shipping.ShipmentRefused', 'shipping.ShipmentUnknown',
                  'shipping.ShipmentAddressRefused', 'shipping.ShipmentCancelled', 'shipping.ShipmentHandedOver', 'shipping.ShipmentDelivered',
                  'shipping.ShipmentProgressed', 'shipping.ShipmentLost', 'shipping.ShipmentReturned')
   ORDER BY stream, version DESC
), told AS (SELECT stream, max(version) AS version FROM sagas_event GROUP BY 1)
SELECT 'shipment ' || s.reference, s.state, coalesce(m.type, 'no event'), s.version, coalesce(v.version, 0)
  FROM shipping_shipment s LEFT JOIN last m ON m.stream = s.id LEFT JOIN told v ON v.stream = s.id
 WHERE s.version <> coalesce(v.version, 0)
    OR s.state <> ALL (CASE m.type
         WHEN 'shipping.ShipmentBooked' THEN ARRAY['label_bought', 'void_pending']
         WHEN 'shipping.ShipmentRefused' THEN ARRAY['label_failed']
         WHEN 'shipping.ShipmentAddressRefused' THEN ARRAY['address_wrong', 'label_pending', 'void_pending']
         WHEN 'shipping.ShipmentCancelled' THEN ARRAY['voided']
         WHEN 'shipping.ShipmentHandedOver' THEN ARRAY['handed_over']
         WHEN 'shipping.ShipmentProgressed' THEN ARRAY['handed_over'] WHEN 'shipping.ShipmentLost' THEN ARRAY['lost']
         WHEN 'shipping.ShipmentReturned' THEN ARRAY['returned']
         WHEN 'shipping.ShipmentDelivered' THEN ARRAY['delivered']
         WHEN 'shipping.ShipmentUnknown' THEN ARRAY['unknown', 'label_pending', 'void_pending']
         ELSE ARRAY['label_pending', 'void_pending', 'voided'] END)
