-- I3: What was paid back another way came out of the bank: that amount, once, for every such refund and for no other.
SELECT 'refund ' || coalesce(r.id, b.source_id), coalesce(r.amount_minor, 0), coalesce(-b.total, 0)
  FROM (SELECT id, amount_minor FROM payments_refund WHERE state = 'repaid') r
  FULL JOIN (SELECT e.source_id, sum(l.amount_minor) FILTER (WHERE l.account = 'bank') AS total
               FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id
              WHERE e.kind = 'refund_repaid' GROUP BY 1) b ON b.source_id = r.id
 WHERE r.amount_minor IS DISTINCT FROM -b.total
