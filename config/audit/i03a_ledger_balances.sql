-- I3: Every journal entry has lines, and they sum to zero in each currency.
SELECT 'entry ' || e.id, coalesce(l.currency, 'no lines'), coalesce(sum(l.amount_minor), 0)
  FROM payments_journalentry e FULL JOIN payments_journalline l ON l.entry_id = e.id
 GROUP BY e.id, l.currency HAVING coalesce(sum(l.amount_minor), 0) <> 0 OR count(l.id) = 0 OR e.id IS NULL
