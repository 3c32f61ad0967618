-- I4: What left the shelf is what the parcels took: for each parcel that has left, piece by piece, and for no other.
WITH taken AS (
  SELECT s.id, l.sku, sum(l.quantity - l.withdrawn) AS pieces
    FROM shipping_shipment s JOIN shipping_shipmentline l ON l.shipment_id = s.id
   WHERE s.state IN ('handed_over', 'delivered', 'returned', 'lost') AND l.quantity > l.withdrawn GROUP BY 1, 2
), gone AS (
  SELECT source_id AS id, sku, -sum(asked) AS pieces FROM inventory_movement WHERE kind = 'shipment' GROUP BY 1, 2
)
SELECT 'shipment ' || coalesce(t.id, g.id) || ' ' || coalesce(t.sku, g.sku), coalesce(t.pieces, 0),
       coalesce(g.pieces, 0)
  FROM taken t FULL JOIN gone g ON g.id = t.id AND g.sku = t.sku
 WHERE coalesce(t.pieces, 0) <> coalesce(g.pieces, 0)
