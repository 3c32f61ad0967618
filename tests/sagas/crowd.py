"""Many sagas at once in every condition, made by a few statements: what pages must stay quick on."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sagas.definition import plan
from sagas.sql import execute
from sagas.steps import get_step

# Every saga gets a number; what it is follows from the number alone, so that two crowds are alike.
# Of a hundred: 86 completed, 8 given back for three reasons, 6 unfinished in every way there is.
SAGAS = """
CREATE FUNCTION pg_temp.id_at(at timestamptz, seed text) RETURNS uuid LANGUAGE sql AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(seed), 1, 3)
          || '8' || substr(md5(seed), 4, 15))::uuid
$$;
CREATE TEMP TABLE crowd AS
SELECT n, pg_temp.id_at(started, n::text) AS id, started, n %% 100 AS kind, (md5('s' || n))::uuid AS subject,
       (100 + (n * 7919) %% 60000)::bigint AS amount,
       (ARRAY['GBP', 'GBP', 'GBP', 'EUR', 'JPY'])[1 + (n / 7) %% 5] AS currency,
       -- how many steps are done, and where it stands
       CASE WHEN n %% 100 < 86 THEN %(steps)s WHEN n %% 100 < 90 THEN 1 WHEN n %% 100 < 92 THEN 2
            WHEN n %% 100 < 94 THEN 3 ELSE 1 + (n / 100) %% (%(steps)s - 1) END AS done
  FROM (SELECT n, %(now)s::timestamptz - make_interval(secs => (%(count)s - n) * %(spread)s) AS started
          FROM generate_series(1, %(count)s) AS n) g
"""
INSERT_SAGAS = """
INSERT INTO sagas_saga (id, definition, version, shop_id, subject_id, reference, search_key, label,
       amount_minor, currency, context, correlation_id, state, hold, hold_reason, hold_owner, hold_since,
       stage, epoch, cause, cause_code, cause_step, deadline_at, started_at, moved_at, finished_at)
SELECT id, %(definition)s, 1, %(shop)s, subject, (500000 + n)::text, (500000 + n)::text,
       'Order ' || (500000 + n), amount, currency, '{}', 'req-' || n,
       CASE WHEN kind < 86 THEN 'completed' WHEN kind < 94 THEN 'compensated'
            WHEN kind = 99 THEN 'compensating' ELSE 'running' END,
       CASE kind WHEN 95 THEN 'parked' WHEN 96 THEN 'waiting' WHEN 97 THEN 'paused' ELSE 'none' END,
       CASE kind WHEN 95 THEN (%(names)s::text[])[done + 1] || ': unavailable after 12 tries'
            WHEN 96 THEN 'stock arrival' WHEN 97 THEN 'address looks wrong, asking the shop' ELSE '' END,
       CASE kind WHEN 95 THEN 'operations' WHEN 97 THEN 'olga' ELSE '' END,
       CASE WHEN kind IN (95, 96, 97) THEN started + interval '3 minutes' END,
       least(done, %(steps)s), CASE WHEN kind BETWEEN 86 AND 93 OR kind = 99 THEN 1 ELSE 0 END,
       CASE WHEN kind BETWEEN 86 AND 93 THEN 'refused' WHEN kind = 99 THEN 'intent' ELSE '' END,
       CASE WHEN kind BETWEEN 86 AND 89 THEN 'payments.declined'
            WHEN kind IN (90, 91) THEN 'inventory.out_of_stock'
            WHEN kind IN (92, 93) THEN 'shipping.country_not_served'
            WHEN kind = 99 THEN 'the customer rang' ELSE '' END,
       CASE WHEN kind BETWEEN 86 AND 93 THEN (%(names)s::text[])[done + 1] ELSE '' END,
       NULL, started, started + interval '4 s', CASE WHEN kind < 94 THEN started + interval '4 s' END
  FROM crowd
"""
# The forward steps: those done, the one that refused, the one it stands at.
INSERT_DO = """
INSERT INTO sagas_step (id, saga_id, position, direction, name, state, epoch, attempt, tries, intent_number,
       key, verdict, code, detail, memo, result, history, wake_at, lease_until, worker, began_at, finished_at)
SELECT pg_temp.id_at(started, n || 'do' || p), id, p, 'do', (%(names)s::text[])[p + 1],
       CASE WHEN p < done THEN 'done' WHEN kind BETWEEN 86 AND 93 THEN 'refused'
            WHEN kind = 99 THEN 'dropped' ELSE 'due' END,
       0, 1, CASE WHEN p = done AND kind = 98 THEN 3 ELSE 0 END, 1, md5(n || 'key' || p)::uuid,
       CASE WHEN p < done THEN 'done' WHEN kind BETWEEN 86 AND 93 THEN 'refused'
            WHEN kind IN (95, 98) THEN 'unavailable' ELSE '' END,
       CASE WHEN p = done AND kind IN (95, 98) THEN 'unavailable' ELSE '' END, '', '{}', '{}', '[]',
       CASE WHEN p = done AND kind IN (94, 96, 98)
            THEN %(now)s::timestamptz + make_interval(secs => n %% 300 - 60) END,
       CASE WHEN p = done AND kind = 94 AND n %% 3 = 0 THEN %(now)s::timestamptz + interval '40 s' END,
       CASE WHEN p = done AND kind = 94 AND n %% 3 = 0 THEN 'worker-1:4711' ELSE '' END,
       started + make_interval(secs => p * 0.6),
       CASE WHEN p < done OR kind BETWEEN 86 AND 93 OR kind = 99
            THEN started + make_interval(secs => p * 0.6 + 0.4) END
  FROM crowd CROSS JOIN generate_series(0, %(steps)s - 1) AS p
 WHERE p < done OR p = done
"""
INSERT_UNDO = """
INSERT INTO sagas_step (id, saga_id, position, direction, name, state, epoch, attempt, tries, intent_number,
       key, verdict, code, detail, memo, result, history, wake_at, worker, began_at, finished_at)
SELECT pg_temp.id_at(started, n || 'undo' || p), id, p, 'undo', (%(undos)s::text[])[p + 1],
       CASE WHEN kind = 99 THEN 'due' ELSE 'done' END, 1, CASE WHEN kind = 99 THEN 0 ELSE 1 END, 0, 1,
       md5(n || 'key' || p)::uuid, CASE WHEN kind = 99 THEN '' ELSE 'done' END, '', '', '{}', '{}', '[]',
       CASE WHEN kind = 99 AND p = least(done, %(undone)s) - 1 THEN %(now)s::timestamptz END, '',
       CASE WHEN kind <> 99 THEN started + interval '3 s' END,
       CASE WHEN kind <> 99 THEN started + interval '4 s' END
  FROM crowd CROSS JOIN generate_series(0, %(undone)s - 1) AS p
 WHERE (kind BETWEEN 86 AND 93 OR kind = 99) AND p < done
"""
DONE = "DROP TABLE crowd; DROP FUNCTION pg_temp.id_at(timestamptz, text)"


def crowd(count: int, *, now: datetime, shop: UUID, definition: str, within: timedelta) -> None:
    """`count` sagas of a definition, started evenly over the time before `now`. Everything by set."""
    planned = plan(definition, 1)
    assert planned is not None
    names = [place.spec.name for place in planned.places]
    undos = [get_step(name).undo for name in names[: planned.pivot_stage]]
    params = {
        "count": count, "now": now, "shop": shop, "definition": definition, "steps": len(names),
        "names": names, "undos": undos, "undone": len(undos), "spread": within.total_seconds() / count,
    }  # fmt: skip
    execute(SAGAS, params, prepare=False)
    for statement in (INSERT_SAGAS, INSERT_DO, INSERT_UNDO, DONE):
        execute(statement, params, prepare=False)
    for table in ("sagas_saga", "sagas_step"):
        execute(f"ANALYZE {table}")
