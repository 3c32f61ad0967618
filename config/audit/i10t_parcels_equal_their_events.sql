-- I10: A parcel that was asked for has the pieces and the share its first event says, and stands where the last left it.
WITH told AS (
  SELECT stream, max(version) AS version, min(data ->> 'order_id') AS order_id,
         max((data ->> 'share_minor')::bigint) FILTER (WHERE type = 'orders.ParcelAsked') AS share,
         (array_agg(data -> 'lines') FILTER (WHERE type = 'orders.ParcelAsked'))[1] AS lines,
         bool_or(type = 'orders.ParcelReady') AS ready, bool_or(type = 'orders.ParcelGivenUp') AS given_up
    FROM sagas_event WHERE type IN ('orders.ParcelAsked', 'orders.ParcelReady', 'orders.ParcelGivenUp') GROUP BY 1
)
SELECT 'parcel ' || coalesce(f.id, t.stream), f.state, f.version, t.version, f.share_minor, t.share
  FROM orders_fulfilmentorder f FULL JOIN told t ON t.stream = f.id
 WHERE (f.version, f.share_minor, f.order_id::text, f.lines, f.state = 'ready', f.state = 'given_up')
       IS DISTINCT FROM (t.version, t.share, t.order_id, t.lines, t.ready, t.given_up)
