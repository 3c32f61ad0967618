-- I6: A rejected order keeps no money; a cancelled one only what was given back, taken back, or is owed as customer credit.
SELECT 'order ' || o.external_reference, o.state, sum(l.amount_minor)
  FROM orders_order o
  JOIN payments_journalentry e ON e.order_id = o.id
  JOIN payments_journalline l ON l.entry_id = e.id AND l.account IN ('sales', 'refunds', 'dispute_losses', 'receivable')
 WHERE o.state IN ('rejected', 'cancelled')
 GROUP BY 1, 2 HAVING sum(l.amount_minor) < 0
