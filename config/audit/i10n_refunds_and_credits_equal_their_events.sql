-- I10: Every refund that went back or was paid another way, and every credit that is owed, is told by one event.
SELECT 'refund ' || coalesce(r.id, e.id), coalesce(r.amount_minor, 0), coalesce(e.amount, 0), coalesce(e.times, 0)
  FROM (SELECT id, amount_minor FROM payments_refund WHERE state = 'succeeded' AND amount_minor > 0) r
  FULL JOIN (SELECT (data ->> 'refund_id')::uuid AS id, count(*) AS times,
                    sum((data ->> 'amount_minor')::bigint) AS amount
               FROM sagas_event f WHERE type = 'payments.PaymentRefunded'
                AND NOT EXISTS (SELECT FROM sagas_event b WHERE b.stream = f.stream AND b.type = 'payments.RefundReturned'
                                   AND b.data ->> 'refund_id' = f.data ->> 'refund_id') GROUP BY 1) e ON e.id = r.id
 WHERE e.times IS DISTINCT FROM 1 OR r.amount_minor IS DISTINCT FROM e.amount
UNION ALL
SELECT 'repaid refund ' || coalesce(r.id, e.id), coalesce(r.amount_minor, 0), coalesce(e.amount, 0), coalesce(e.times, 0)
  FROM (SELECT id, saga_id, amount_minor, repaid_by FROM payments_refund WHERE state = 'repaid') r
  FULL JOIN (SELECT (data ->> 'refund_id')::uuid AS id, min(data ->> 'saga_id') AS saga_id, count(*) AS times,
                    sum((data ->> 'amount_minor')::bigint) AS amount, min(metadata ->> 'actor') AS actor
               FROM sagas_event WHERE type = 'payments.RefundRepaid' AND metadata ->> 'reason' <> '' GROUP BY 1) e
    ON e.id = r.id
 WHERE e.times IS DISTINCT FROM 1 OR (r.amount_minor, r.saga_id::text, r.repaid_by)
       IS DISTINCT FROM (e.amount, e.saga_id, e.actor)
UNION ALL
SELECT 'credit ' || coalesce(b.source, e.source), coalesce(b.amount, 0), coalesce(e.amount, 0), coalesce(e.times, 0)
  FROM (SELECT e.id, e.source_id AS source, -sum(l.amount_minor) AS amount
          FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id
         WHERE e.kind = 'credit' AND l.account = 'customer_credit' GROUP BY 1, 2) b
  FULL JOIN (SELECT stream AS id, (data ->> 'source_id')::uuid AS source, count(*) OVER (PARTITION BY stream) AS times,
                    (data ->> 'amount_minor')::bigint AS amount
               FROM sagas_event WHERE type = 'payments.CustomerCredited') e ON e.id = b.id
 WHERE e.times IS DISTINCT FROM 1 OR b.source IS DISTINCT FROM e.source OR b.amount IS DISTINCT FROM e.amount
