-- I10: What was authorized of a payment, and for which order, shop and currency, is what its events say.
SELECT 'payment ' || p.id, p.authorized_minor, coalesce(a.total, 0), p.currency, a.currency
  FROM payments_payment p
  LEFT JOIN (SELECT stream, max((data ->> 'amount_minor')::bigint)
                            FILTER (WHERE type = 'payments.PaymentAuthorized') AS total,
                    min(data ->> 'currency') AS currency, max(data ->> 'currency') AS other_currency,
                    min(data ->> 'order_id') AS order_id, max(data ->> 'order_id') AS other_order,
                    min(data ->> 'shop_id') AS shop_id
               FROM sagas_event WHERE type LIKE 'payments.%' GROUP BY 1) a ON a.stream = p.id
 WHERE p.authorized_minor <> coalesce(a.total, 0)
    OR (a.stream IS NOT NULL AND (p.currency, p.currency, p.order_id::text, p.order_id::text, p.shop_id::text)
        IS DISTINCT FROM (a.currency, a.other_currency, a.order_id, a.other_order, a.shop_id))
