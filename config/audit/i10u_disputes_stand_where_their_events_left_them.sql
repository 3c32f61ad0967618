-- I10: Every dispute is told when it is opened and when it is closed, once; and every refund that a bank has overtaken.
SELECT 'dispute ' || coalesce(d.provider_id, e.id::text), d.state, coalesce(e.opened, 0), coalesce(e.closed, 0), e.outcome
  FROM (SELECT * FROM payments_dispute WHERE amount_minor > 0) d
  FULL JOIN (SELECT (data ->> 'dispute_id')::uuid AS id, max((data ->> 'amount_minor')::bigint) AS amount,
                    count(*) FILTER (WHERE type = 'payments.DisputeOpened') AS opened,
                    count(*) FILTER (WHERE type = 'payments.DisputeClosed') AS closed, max(data ->> 'outcome') AS outcome
               FROM sagas_event
              WHERE type IN ('payments.DisputeOpened', 'payments.DisputeProgressed', 'payments.DisputeClosed') GROUP BY 1) e
    ON e.id = d.id
 WHERE (d.amount_minor, 1::bigint, CASE WHEN d.state IN ('won', 'lost') THEN 1 ELSE 0 END::bigint,
        CASE WHEN d.state IN ('won', 'lost') THEN d.state END)
       IS DISTINCT FROM (e.amount, e.opened, e.closed, e.outcome)
UNION ALL
SELECT 'refused refund ' || coalesce(r.id, e.id), r.state, r.amount_minor, e.amount, r.code
  FROM (SELECT * FROM payments_refund WHERE state = 'refused') r
  FULL JOIN (SELECT (data ->> 'refund_id')::uuid AS id, sum((data ->> 'amount_minor')::bigint) AS amount
               FROM sagas_event WHERE type = 'payments.RefundRefused' GROUP BY 1
             HAVING bool_or((data ->> 'whole')::boolean)) e ON e.id = r.id
 WHERE r.id IS NULL OR e.amount IS NULL OR e.amount < r.amount_minor
