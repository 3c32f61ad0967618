-- I10: Captured and refunded amounts of a payment equal the sums of its events.
SELECT 'payment ' || p.id, p.captured_minor, coalesce(c.total, 0), p.refunded_minor, coalesce(r.total, 0)
  FROM payments_payment p
  LEFT JOIN (SELECT (data ->> 'payment_id')::uuid AS id, sum((data ->> 'amount_minor')::bigint) AS total
               FROM sagas_event WHERE type = 'payments.PaymentCaptured' GROUP BY 1) c ON c.id = p.id
  LEFT JOIN (SELECT (data ->> 'payment_id')::uuid AS id, sum((data ->> 'amount_minor')::bigint) AS total
               FROM sagas_event WHERE type = 'payments.PaymentRefunded' GROUP BY 1) r ON r.id = p.id
 WHERE p.captured_minor <> coalesce(c.total, 0) OR p.refunded_minor <> coalesce(r.total, 0)
