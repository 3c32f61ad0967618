-- I3: Every share that was taken is booked once, as a capture of its amount; and no other share is.
SELECT 'share ' || coalesce(s.id, b.source_id), coalesce(s.amount_minor, 0), coalesce(b.total, 0)
  FROM (SELECT id, amount_minor FROM payments_capture WHERE state = 'succeeded') s
  FULL JOIN (SELECT e.source_id, sum(l.amount_minor) FILTER (WHERE l.account = 'provider_clearing') AS total
               FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id
              WHERE e.kind = 'capture' AND e.source_id <> e.payment_id GROUP BY 1) b ON b.source_id = s.id
 WHERE s.amount_minor IS DISTINCT FROM b.total
