-- I2: The provider has each payment in our amount and currency, and gives back in the currency it took.
SELECT 'payment ' || p.id, p.amount_minor, p.currency, i.amount, upper(i.currency)
  FROM payments_payment p JOIN provider_intent i ON i.id = p.provider_id
 WHERE p.mismatch = '' AND (p.amount_minor <> i.amount OR p.currency <> upper(i.currency))
UNION ALL
SELECT 'refund ' || r.id, r.amount_minor, r.currency, p.amount_minor, p.currency
  FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
 WHERE r.currency <> p.currency
