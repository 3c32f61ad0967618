-- I10: A return's row and lines say what its events said, and what it closed with its order counted in that commit.
WITH last AS (
  SELECT DISTINCT ON (stream) stream, version, type FROM sagas_event
   WHERE type IN ('orders.ReturnRequested', 'orders.ReturnReceived', 'orders.ReturnInspected', 'orders.ReturnWithdrawn',
                  'orders.ReturnClosed')
   ORDER BY stream, version DESC
), lines AS (
  SELECT back_id AS id,
         coalesce(jsonb_object_agg(position, asked) FILTER (WHERE asked > 0), '{}') AS asked,
         coalesce(jsonb_object_agg(position, received) FILTER (WHERE received > 0), '{}') AS received,
         coalesce(jsonb_object_agg(position, accepted) FILTER (WHERE accepted > 0), '{}') AS accepted,
         coalesce(jsonb_object_agg(position, jsonb_build_array(accepted, rejected, restock)) FILTER (WHERE received > 0),
                  '{}') AS decided
    FROM orders_returnline GROUP BY 1
), told AS (
  SELECT e.stream AS id, e.type, e.era, e.xid,
         coalesce((SELECT jsonb_object_agg(l ->> 'position', l -> 'quantity')
                     FROM jsonb_array_elements(e.data -> 'lines') AS l), '{}') AS pieces
    FROM sagas_event e WHERE e.type IN ('orders.ReturnRequested', 'orders.ReturnReceived', 'orders.ReturnClosed')
), inspected AS (
  SELECT DISTINCT ON (e.stream) e.stream AS id,
         coalesce((SELECT jsonb_object_agg(l ->> 'position',
                                           jsonb_build_array(l -> 'accepted', l -> 'rejected', l -> 'restock'))
                     FROM jsonb_array_elements(e.data -> 'lines') AS l), '{}') AS decided
    FROM sagas_event e WHERE e.type = 'orders.ReturnInspected' ORDER BY e.stream, e.version DESC
), counted AS (
  SELECT e.stream AS order_id, e.era, e.xid,
         coalesce((SELECT jsonb_object_agg(l ->> 'position', l -> 'quantity')
                     FROM jsonb_array_elements(e.data -> 'lines') AS l), '{}') AS pieces
    FROM sagas_event e WHERE e.type = 'orders.GoodsReturned'
)
SELECT 'return ' || r.number || ' of order ' || r.order_id, r.state, coalesce(m.type, 'no event'), r.version, m.version,
       n.asked, q.pieces, n.received, v.pieces, n.decided, i.decided, n.accepted, c.pieces, g.pieces
  FROM orders_return r
  LEFT JOIN last m ON m.stream = r.id
  LEFT JOIN lines n ON n.id = r.id
  LEFT JOIN told q ON q.id = r.id AND q.type = 'orders.ReturnRequested'
  LEFT JOIN told v ON v.id = r.id AND v.type = 'orders.ReturnReceived'
  LEFT JOIN told c ON c.id = r.id AND c.type = 'orders.ReturnClosed'
  LEFT JOIN inspected i ON i.id = r.id
  LEFT JOIN counted g ON g.order_id = r.order_id AND (g.era, g.xid) = (c.era, c.xid)
 WHERE r.version IS DISTINCT FROM m.version
    OR m.type IS DISTINCT FROM CASE r.state
         WHEN 'requested' THEN 'orders.ReturnRequested' WHEN 'received' THEN 'orders.ReturnReceived'
         WHEN 'inspected' THEN 'orders.ReturnInspected' WHEN 'withdrawn' THEN 'orders.ReturnWithdrawn'
         ELSE 'orders.ReturnClosed' END
    OR n.asked IS DISTINCT FROM q.pieces
    OR n.received IS DISTINCT FROM coalesce(v.pieces, '{}')
    OR n.decided IS DISTINCT FROM i.decided AND i.id IS NOT NULL
    OR (r.state IN ('inspected', 'closed') AND i.id IS NULL)
    OR (r.state = 'closed' AND (n.accepted IS DISTINCT FROM c.pieces OR g.pieces IS DISTINCT FROM c.pieces))
