"""The rows a saga needs, by hand: its own, a row for each step, and a row for each fact; written set-based.

A saga bears the id of its order. A batch goes from statement to statement as one literal of an array, so that
Python never touches a single order.
"""

from __future__ import annotations

from typing import Any

import psycopg

from benchmarks.side_by_side import batches

TABLES = """
CREATE TABLE limit_saga (
  id uuid PRIMARY KEY, definition text NOT NULL, reference text NOT NULL, amount_minor bigint NOT NULL,
  state text NOT NULL, cause text NOT NULL DEFAULT '',
  started_at timestamptz NOT NULL, moved_at timestamptz NOT NULL, finished_at timestamptz,
  CONSTRAINT limit_saga_finished_exactly_when_final
    CHECK ((state IN ('completed', 'compensated')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 70);
CREATE TABLE limit_step (
  saga_id uuid NOT NULL, position smallint NOT NULL, name text NOT NULL, state text NOT NULL,
  attempt int NOT NULL DEFAULT 0, code text NOT NULL DEFAULT '', worker int, wake_at timestamptz NOT NULL,
  finished_at timestamptz, PRIMARY KEY (saga_id, name),
  CONSTRAINT limit_step_finished_exactly_when_not_due CHECK ((state = 'due') = (finished_at IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX limit_step_due ON limit_step (name, wake_at) WHERE finished_at IS NULL;
CREATE TABLE limit_event (
  stream uuid NOT NULL, version int NOT NULL, xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
  position bigint NOT NULL GENERATED ALWAYS AS IDENTITY, type text NOT NULL, data jsonb NOT NULL,
  at timestamptz NOT NULL, PRIMARY KEY (stream, version)
);
CREATE INDEX limit_event_feed ON limit_event (xid, position);
"""

#: The old orders' sagas: on empty tables the planner learns wrong.
FILL = """
INSERT INTO limit_saga
SELECT id, 'sell', reference, total_minor, 'completed', '', placed_at, ended_at, ended_at FROM shop_order;
INSERT INTO limit_step (saga_id, position, name, state, attempt, wake_at, finished_at)
SELECT id, n, name, 'done', 1, placed_at, ended_at
  FROM shop_order, unnest(ARRAY['authorize', 'reserve', 'book', 'confirm']) WITH ORDINALITY AS u (name, n);
INSERT INTO limit_event (stream, version, type, data, at)
SELECT id, n, fact, jsonb_build_object('order_id', id), ended_at
  FROM shop_order, unnest(ARRAY['Sold', 'Authorized', 'Reserved', 'Booked', 'Confirmed'])
       WITH ORDINALITY AS u (fact, n);
"""

#: A new order's saga, its first step, and the fact that it came in.
BEGIN = """
WITH started AS (
  INSERT INTO limit_saga (id, definition, reference, amount_minor, state, started_at, moved_at)
  SELECT u.id, 'sell', u.reference, u.amount, 'running', now(), now()
    FROM unnest(%s::uuid[], %s::text[], %s::bigint[]) AS u (id, reference, amount)
  RETURNING id
), opened AS (
  INSERT INTO limit_step (saga_id, position, name, state, wake_at)
  SELECT id, 1, 'authorize', 'due', now() FROM started
)
INSERT INTO limit_event (stream, version, type, data, at)
SELECT u.id, 1, 'Sold', u.data, now() FROM unnest(%s::uuid[], %s::jsonb[]) AS u (id, data)
"""

_DUE = """
due AS (
  SELECT saga_id FROM limit_step WHERE name = %(name)s AND finished_at IS NULL AND wake_at <= now()
   ORDER BY wake_at LIMIT %(size)s FOR NO KEY UPDATE SKIP LOCKED
)"""
_DONE = """
done AS (
  UPDATE limit_step t SET state = 'done', attempt = attempt + 1, worker = %(worker)s, finished_at = now()
    FROM due WHERE t.saga_id = due.saga_id AND t.name = %(name)s
), told AS (
  INSERT INTO limit_event (stream, version, type, data, at)
  SELECT saga_id, %(version)s, %(fact)s, jsonb_build_object('order_id', saga_id), now() FROM due
)"""
_OPENED = """
opened AS (
  INSERT INTO limit_step (saga_id, position, name, state, wake_at)
  SELECT saga_id, %(position)s, %(then)s, 'due', now() FROM due
)"""

#: Take what is due at a step, and note it done: the note and the work are one commit, so neither comes first.
TAKE = f"WITH {_DUE}, {_DONE}, {_OPENED} SELECT count(*), array_agg(saga_id)::text FROM due"  # noqa: S608 - constants above
#: The same, with what each order costs.
TAKE_WITH_AMOUNTS = f"""
WITH {_DUE}, {_DONE}, {_OPENED}
SELECT count(*), array_agg(saga_id)::text, array_agg(amount_minor)::text
  FROM due JOIN limit_saga s ON s.id = due.saga_id
"""  # noqa: S608
#: The same at the last undo: it ends the sagas.
TAKE_LAST = f"""
WITH {_DUE}, {_DONE}, ended AS (
  UPDATE limit_saga s SET state = 'compensated', moved_at = now(), finished_at = now()
    FROM due WHERE s.id = due.saga_id
)
SELECT count(*), array_agg(saga_id)::text FROM due
"""  # noqa: S608
#: Take without a note: the last step may refuse.
TAKE_OPEN = f"WITH {_DUE} SELECT count(*), array_agg(saga_id)::text FROM due"  # noqa: S608

#: Confirm, and note of each saga whether it has ended or turns back. Answers how many turn back.
CONFIRM = f"""
WITH confirmed AS ({batches.CONFIRM}), judged AS (
  SELECT u.id, c.id IS NOT NULL AS well FROM unnest(%s::uuid[]) AS u (id) LEFT JOIN confirmed c USING (id)
), done AS (
  UPDATE limit_step t SET state = CASE WHEN j.well THEN 'done' ELSE 'refused' END, attempt = attempt + 1,
         code = CASE WHEN j.well THEN '' ELSE 'declined' END, worker = %s, finished_at = now()
    FROM judged j WHERE t.saga_id = j.id AND t.name = 'confirm'
), moved AS (
  UPDATE limit_saga s SET state = CASE WHEN j.well THEN 'completed' ELSE 'compensating' END, moved_at = now(),
         cause = CASE WHEN j.well THEN '' ELSE 'refused' END, finished_at = CASE WHEN j.well THEN now() END
    FROM judged j WHERE s.id = j.id
), turned AS (
  INSERT INTO limit_step (saga_id, position, name, state, wake_at)
  SELECT id, 3, 'cancel', 'due', now() FROM judged WHERE NOT well
), told AS (
  INSERT INTO limit_event (stream, version, type, data, at)
  SELECT id, 5, 'Confirmed', jsonb_build_object('order_id', id), now() FROM judged WHERE well
)
SELECT count(*) FILTER (WHERE NOT well) FROM judged
"""  # noqa: S608

#: What orders ask for of each SKU together.
WANTED = f"""
SELECT array_agg(sku), array_agg(quantity)
  FROM (SELECT sku, sum(quantity)::bigint AS quantity FROM ({batches.WANTED}) w GROUP BY sku) s
"""  # noqa: S608


def install(connection: psycopg.Connection[Any]) -> None:
    """Make the tables, with a finished saga for each order that is there."""
    with connection.transaction():
        connection.execute(TABLES)
        connection.execute(FILL)
