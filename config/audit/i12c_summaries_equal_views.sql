-- I12: Each cell of the summary counts and sums the views that belong to it, and no cell is empty.
WITH live AS (SELECT coalesce((SELECT live_slot FROM sagas_projection WHERE name = 'orders.view'), 1) AS slot), told AS (
  SELECT shop_id, placed_on AS day, country, state AS status, currency, count(*) AS orders, sum(total_minor) AS total,
         sum(captured_minor) AS captured, sum(refunded_minor) AS refunded
    FROM orders_orderview WHERE slot = (SELECT slot FROM live) AND version > 0 GROUP BY 1, 2, 3, 4, 5
), cells AS (SELECT * FROM orders_ordersummary WHERE slot = (SELECT slot FROM live))
SELECT coalesce(c.day, t.day), coalesce(c.country, t.country), coalesce(c.status, t.status),
       coalesce(c.currency, t.currency), c.orders, t.orders, c.total_minor, t.total
  FROM cells c FULL JOIN told t ON (t.shop_id, t.day, t.country, t.status, t.currency)
                                 = (c.shop_id, c.day, c.country, c.status, c.currency)
 WHERE (c.orders, c.total_minor, c.captured_minor, c.refunded_minor)
       IS DISTINCT FROM (t.orders, t.total, t.captured, t.refunded)
