-- I10: Captured, refunded and repaid amounts of a payment equal the sums of its events; what came back counts against.
SELECT 'payment ' || p.id, p.captured_minor, coalesce(c.total, 0), p.refunded_minor, coalesce(r.total, 0)
  FROM payments_payment p
  LEFT JOIN (SELECT (data ->> 'payment_id')::uuid AS id, sum((data ->> 'amount_minor')::bigint) AS total
               FROM sagas_event WHERE type = 'payments.PaymentCaptured' GROUP BY 1) c ON c.id = p.id
  LEFT JOIN (SELECT (data ->> 'payment_id')::uuid AS id,
                    sum((data ->> 'amount_minor')::bigint * CASE type WHEN 'payments.RefundReturned' THEN -1 ELSE 1 END) AS total
               FROM sagas_event WHERE type IN ('payments.PaymentRefunded', 'payments.RefundReturned') GROUP BY 1) r ON r.id = p.id
  LEFT JOIN (SELECT (data ->> 'payment_id')::uuid AS id, sum((data ->> 'amount_minor')::bigint) AS total
               FROM sagas_event WHERE type = 'payments.CaptureReversed' GROUP BY 1) b ON b.id = p.id
  LEFT JOIN (SELECT (data ->> 'payment_id')::uuid AS id, sum((data ->> 'amount_minor')::bigint) AS total
               FROM sagas_event WHERE type = 'payments.RefundRepaid' GROUP BY 1) a ON a.id = p.id
 WHERE p.captured_minor <> coalesce(c.total, 0) OR p.refunded_minor <> coalesce(r.total, 0)
    OR p.reversed_minor <> coalesce(b.total, 0) OR p.repaid_minor <> coalesce(a.total, 0)
