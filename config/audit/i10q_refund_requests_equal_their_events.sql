-- I10: A refund that was asked for stands where its events left it, and its order counts what it gave back.
WITH told AS (
  SELECT stream, max(version) AS version, min(data ->> 'order_id') AS order_id,
         max((data ->> 'amount_minor')::bigint) FILTER (WHERE type = 'orders.RefundAsked') AS amount,
         bool_or(type = 'orders.RefundDeclined') AS declined, bool_or(type = 'orders.RefundClosed') AS closed, bool_or(type = 'orders.RefundEnded') AS ended,
         bool_or(type = 'orders.RefundApproved' OR (type = 'orders.RefundAsked' AND data ->> 'needs_approval' = 'false'))
           AND NOT bool_or(type = 'orders.RefundDeclined') AS begun
    FROM sagas_event
   WHERE type IN ('orders.RefundAsked', 'orders.RefundApproved', 'orders.RefundDeclined', 'orders.RefundEnded',
                'orders.RefundClosed')
   GROUP BY 1
)
SELECT 'request ' || coalesce(r.id, t.stream), r.state, r.version, t.version, r.amount_minor, t.amount
  FROM orders_refundrequest r FULL JOIN told t ON t.stream = r.id
 WHERE (r.version, r.amount_minor, r.order_id::text, r.state = 'declined', r.state = 'closed', r.ended_at IS NOT NULL, r.saga_id IS NOT NULL)
       IS DISTINCT FROM (t.version, t.amount, t.order_id, t.declined, t.closed, t.ended, t.begun)
UNION ALL
SELECT 'order ' || o.external_reference, o.state, NULL, NULL, o.refunded_minor, coalesce(r.given, 0)
  FROM orders_order o
  LEFT JOIN (SELECT order_id, sum(refunded_minor + credited_minor + owed_minor + dropped_minor) AS given
               FROM orders_refundrequest WHERE ended_at IS NOT NULL GROUP BY 1) r ON r.order_id = o.id
 WHERE o.refunded_minor <> coalesce(r.given, 0)
