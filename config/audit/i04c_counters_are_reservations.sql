-- I4: Held and allocated equal the open reservations.
SELECT 'stock ' || coalesce(s.location_id, r.location_id) || ' ' || coalesce(s.sku, r.sku),
       coalesce(s.held, 0), coalesce(r.held, 0), coalesce(s.allocated, 0), coalesce(r.allocated, 0)
  FROM inventory_stock s
  FULL JOIN (
    SELECT l.location_id, l.sku,
           sum(l.quantity - l.withdrawn - l.consumed) FILTER (WHERE r.state = 'held') AS held,
           sum(l.quantity - l.withdrawn - l.consumed) FILTER (WHERE r.state = 'allocated') AS allocated
      FROM inventory_reservationline l JOIN inventory_reservation r ON r.id = l.reservation_id
     WHERE r.state IN ('held', 'allocated') GROUP BY 1, 2) r
    ON r.location_id = s.location_id AND r.sku = s.sku
 WHERE coalesce(s.held, 0) <> coalesce(r.held, 0) OR coalesce(s.allocated, 0) <> coalesce(r.allocated, 0)
