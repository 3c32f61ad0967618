-- I10: Every stream counts from one without a gap.
SELECT 'stream ' || stream, count(*), min(version), max(version)
  FROM sagas_event GROUP BY stream HAVING min(version) <> 1 OR max(version) <> count(*)
