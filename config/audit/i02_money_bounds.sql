-- I2: For each payment captured is at most authorized, and refunds are at most captured, summed from the refunds.
SELECT 'payment ' || p.id, p.authorized_minor, p.captured_minor, coalesce(r.total, 0)
  FROM payments_payment p
  LEFT JOIN (SELECT payment_id, sum(amount_minor) AS total FROM payments_refund
              WHERE state IN ('succeeded', 'submitting', 'unknown', 'repaid') GROUP BY 1) r ON r.payment_id = p.id
 WHERE p.captured_minor > p.authorized_minor OR coalesce(r.total, 0) > p.captured_minor
    OR p.authorized_minor > p.amount_minor
