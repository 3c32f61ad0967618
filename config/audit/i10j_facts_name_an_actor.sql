-- I10: Every event names who caused it.
SELECT 'event ' || position, type, stream FROM sagas_event WHERE coalesce(metadata ->> 'actor', '') = ''
