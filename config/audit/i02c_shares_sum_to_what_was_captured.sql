-- I2: A payment that is taken in shares has captured what its shares took, and holds enough for the one under way.
SELECT 'payment ' || p.id, p.state, p.authorized_minor, p.captured_minor, s.taken, s.under_way
  FROM payments_payment p
  JOIN (SELECT payment_id, coalesce(sum(amount_minor) FILTER (WHERE state = 'succeeded'), 0) AS taken,
               coalesce(sum(amount_minor) FILTER (WHERE state IN ('submitting', 'unknown')), 0) AS under_way
          FROM payments_capture GROUP BY 1) s ON s.payment_id = p.id
 WHERE p.captured_minor <> s.taken OR s.taken + s.under_way > p.authorized_minor
