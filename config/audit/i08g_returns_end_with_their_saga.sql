-- I8: An open return has its saga at work, and one that ended has paid what its saga has paid: nothing, or just that.
SELECT 'return ' || r.number || ' of ' || o.external_reference, r.state, coalesce(s.state, 'no saga'), r.refund_minor,
       r.credit_minor, f.amount_minor, f.credit_minor
  FROM orders_return r
  JOIN orders_order o ON o.id = r.order_id
  LEFT JOIN sagas_saga s ON s.id = r.saga_id AND s.subject_id = r.order_id AND s.definition = 'orders.return_goods'
  LEFT JOIN payments_refund f ON f.saga_id = r.saga_id
 WHERE s.id IS NULL
    OR (r.state IN ('requested', 'received', 'inspected') AND s.finished_at IS NOT NULL)
    OR (r.state = 'closed' AND (s.state <> 'completed' OR r.refund_minor <> coalesce(f.amount_minor, 0)
        OR r.credit_minor <> coalesce(f.credit_minor, 0)))
    OR (r.state IN ('requested', 'received', 'withdrawn') AND f.id IS NOT NULL)
