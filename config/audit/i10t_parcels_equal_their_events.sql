-- I10: A parcel has the pieces and the share its first event says, and stands where its last event left it.
WITH told AS (
  SELECT stream, max(version) AS version, min(data ->> 'order_id') AS order_id,
         (array_agg(type ORDER BY version DESC))[1] AS last,
         (array_agg((data ->> 'share_minor')::bigint ORDER BY version))[1] AS share,
         (array_agg(data -> 'lines' ORDER BY version))[1] AS lines
    FROM sagas_event
   WHERE type IN ('orders.ParcelAsked', 'orders.ParcelReady', 'orders.ParcelGivenUp', 'orders.ParcelCancelAsked',
                  'orders.ParcelCancelled', 'orders.ParcelKept')
   GROUP BY 1
)
SELECT 'parcel ' || coalesce(f.id, t.stream), f.state, f.version, t.version, f.share_minor, t.share
  FROM orders_fulfilmentorder f FULL JOIN told t ON t.stream = f.id
 WHERE (f.version, f.share_minor, f.order_id::text, f.lines, f.state) IS DISTINCT FROM
       (t.version, t.share, t.order_id, t.lines, CASE t.last
          WHEN 'orders.ParcelAsked' THEN 'claimed' WHEN 'orders.ParcelReady' THEN 'ready'
          WHEN 'orders.ParcelKept' THEN 'ready' WHEN 'orders.ParcelGivenUp' THEN 'given_up'
          WHEN 'orders.ParcelCancelAsked' THEN 'cancelling' ELSE 'cancelled' END)
