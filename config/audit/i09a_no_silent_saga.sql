-- I9: Every saga is final, has a wake-up time or a lease, or is parked or paused with a reason and an owner.
-- A choreographed one may wait for an event, until the time at which its silence is noticed.
SELECT 'saga ' || s.reference, s.definition, s.state, s.hold
  FROM sagas_saga s
 WHERE s.finished_at IS NULL
   AND NOT (s.hold IN ('parked', 'paused') AND s.hold_reason <> '' AND s.hold_owner <> '')
   AND NOT (s.style = 'choreography' AND s.deadline_at IS NOT NULL)
   AND NOT EXISTS (SELECT FROM sagas_step t
                    WHERE t.saga_id = s.id AND t.finished_at IS NULL AND t.wake_at IS NOT NULL)
