-- I10: Every act of a person that was taken up has an event with its reason.
SELECT 'saga ' || i.saga_id, i.kind, count(*), coalesce(max(e.times), 0)
  FROM sagas_intent i
  LEFT JOIN (SELECT stream, data ->> 'act' AS act, count(*) AS times FROM sagas_event
              WHERE type = 'sagas.OperatorActed' AND metadata ->> 'reason' <> '' GROUP BY 1, 2) e
    ON e.stream = i.saga_id AND e.act = i.kind
 WHERE i.state IN ('applied', 'refused')
 GROUP BY i.saga_id, i.kind HAVING count(*) > coalesce(max(e.times), 0)
