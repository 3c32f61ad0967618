-- I10: Every share that was taken, and every one that was refused, is told by one event of its amount.
SELECT 'share ' || coalesce(s.id, e.id), coalesce(s.state, 'no share'), coalesce(e.type, 'no event'),
       coalesce(s.amount_minor, 0), coalesce(e.amount, 0), coalesce(e.times, 0)
  FROM (SELECT id, state, amount_minor FROM payments_capture WHERE state IN ('succeeded', 'failed')) s
  FULL JOIN (SELECT (data ->> 'capture_id')::uuid AS id, max(type) AS type, count(*) AS times,
                    max((data ->> 'amount_minor')::bigint) AS amount
               FROM sagas_event WHERE type IN ('payments.ShareCaptured', 'payments.ShareRefused') GROUP BY 1) e
    ON e.id = s.id
 WHERE e.times IS DISTINCT FROM 1 OR s.amount_minor IS DISTINCT FROM e.amount
    OR e.type <> CASE s.state WHEN 'failed' THEN 'payments.ShareRefused' ELSE 'payments.ShareCaptured' END
