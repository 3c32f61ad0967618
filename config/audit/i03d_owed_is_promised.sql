-- I3: What the ledger owes is what refunds and credit notes promise, and the payments' counters agree.
WITH promised AS (
  SELECT id AS source, amount_minor AS through, credit_minor AS credit, state NOT IN ('succeeded', 'repaid', 'refused') AS open
    FROM payments_refund
  UNION ALL
  SELECT id, 0, amount_minor, false FROM orders_creditnote WHERE state = 'credited'
), booked AS (
  SELECT coalesce(c.refund_id, e.source_id) AS source, -sum(l.amount_minor) FILTER (WHERE l.account = 'refunds_payable') AS through,
         -sum(l.amount_minor) FILTER (WHERE l.account = 'customer_credit') AS credit
    FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id
    LEFT JOIN payments_refundcut c ON c.id = e.source_id
   WHERE l.account IN ('refunds_payable', 'customer_credit') GROUP BY 1
)
SELECT 'source ' || coalesce(p.source, b.source), coalesce(p.through, 0), coalesce(b.through, 0),
       coalesce(p.credit, 0), coalesce(b.credit, 0)
  FROM promised p FULL JOIN booked b ON b.source = p.source
 WHERE coalesce(b.through, 0) <> CASE WHEN p.open THEN p.through ELSE 0 END
    OR coalesce(b.credit, 0) <> coalesce(p.credit, 0)
UNION ALL
SELECT 'payment ' || p.id, p.refunding_minor, coalesce(r.open, 0), p.refunded_minor + p.repaid_minor,
       coalesce(r.gone, 0) + coalesce(r.repaid, 0)
  FROM payments_payment p
  LEFT JOIN (SELECT payment_id, sum(amount_minor) FILTER (WHERE state NOT IN ('succeeded', 'repaid', 'refused')) AS open,
                    sum(amount_minor) FILTER (WHERE state = 'succeeded') AS gone,
                    sum(amount_minor) FILTER (WHERE state = 'repaid') AS repaid
               FROM payments_refund GROUP BY 1) r ON r.payment_id = p.id
 WHERE p.refunding_minor <> coalesce(r.open, 0) OR p.refunded_minor <> coalesce(r.gone, 0)
    OR p.repaid_minor <> coalesce(r.repaid, 0)
