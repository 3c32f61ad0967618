-- I10: A reservation's row is at the version of its stream, in the state its last event left it, and held
-- until when it was told; a tombstone is empty.
WITH last AS (
  SELECT DISTINCT ON (stream) stream, type, data ->> 'reason' AS reason FROM sagas_event
   WHERE type IN ('inventory.StockReserved', 'inventory.StockAllocated', 'inventory.StockShort')
      OR (type IN ('inventory.StockReleased', 'inventory.StockConsumed') AND (data ->> 'whole')::boolean)
   ORDER BY stream, version DESC
), told AS (
  SELECT stream, max(version) AS version,
         max((data ->> 'expires_at')::timestamptz)
           FILTER (WHERE type IN ('inventory.StockReserved', 'inventory.HoldExtended')) AS expires_at
    FROM sagas_event GROUP BY 1)
SELECT 'reservation ' || r.id, r.state, coalesce(m.type, 'no event'), r.version, coalesce(v.version, 0)
  FROM inventory_reservation r LEFT JOIN last m ON m.stream = r.id LEFT JOIN told v ON v.stream = r.id
 WHERE r.version <> coalesce(v.version, 0)
    OR r.state <> ALL (CASE m.type
         WHEN 'inventory.StockReserved' THEN ARRAY['held'] WHEN 'inventory.StockAllocated' THEN ARRAY['allocated']
         WHEN 'inventory.StockShort' THEN ARRAY['short'] WHEN 'inventory.StockConsumed' THEN ARRAY['consumed']
         WHEN 'inventory.StockReleased' THEN CASE m.reason WHEN 'expired' THEN ARRAY['expired']
           ELSE ARRAY['released', 'consumed'] END
         ELSE ARRAY['released'] END)
    OR (r.state = 'held' AND r.expires_at IS DISTINCT FROM v.expires_at)
    OR (m.type IS NULL AND EXISTS (SELECT FROM inventory_reservationline l WHERE l.reservation_id = r.id))
