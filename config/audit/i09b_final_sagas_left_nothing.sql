-- I9: A final saga has no unfinished step, and a compensated one no step that is done without its undo.
-- In a choreography an app has one undo for all its steps. What a person has resolved by hand that person gave back.
SELECT 'saga ' || s.reference, s.state, t.name, t.state
  FROM sagas_saga s JOIN sagas_step t ON t.saga_id = s.id
 WHERE s.finished_at IS NOT NULL
   AND (t.state IN ('due', 'gave_up')
        OR (s.state = 'compensated' AND t.direction = 'do' AND t.state = 'done'
            AND NOT EXISTS (SELECT FROM sagas_intent i
                             WHERE i.saga_id = s.id AND i.kind = 'resolve' AND i.state = 'applied')
            AND NOT EXISTS (SELECT FROM sagas_step u
                             WHERE u.saga_id = s.id AND u.direction = 'undo' AND u.state IN ('done', 'skipped')
                               AND (u.position = t.position OR (s.style = 'choreography'
                                    AND split_part(u.name, '.', 1) = split_part(t.name, '.', 1))))))
