-- I3: Every journal entry sums to zero in each currency.
SELECT 'entry ' || entry_id, currency, sum(amount_minor)
  FROM payments_journalline GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0
