-- I2: Banks take at most what was captured, and no refund began that takes more than they had left when it did.
SELECT 'payment ' || p.id, p.captured_minor, p.charged_back_minor, p.disputed_minor, p.refunded_minor
  FROM payments_payment p
 WHERE p.charged_back_minor + p.disputed_minor + p.reversed_minor > p.captured_minor
    OR (p.charged_back_minor + p.refunded_minor + p.repaid_minor > p.captured_minor
        AND EXISTS (SELECT FROM payments_refund r JOIN payments_dispute d ON d.payment_id = p.id AND d.state = 'lost'
                     WHERE r.payment_id = p.id AND r.state IN ('succeeded', 'repaid') AND r.made_at > d.closed_at))
