"""Answers of the API are kept long enough for any repeat, then go."""

from __future__ import annotations

from datetime import datetime, timedelta

from sagas.loops import keeper
from sagas.sql import execute

#: How long a key protects its request. Told to clients in the API's description.
KEPT_FOR = timedelta(days=7)
LIMIT = 5_000

OLD = """
DELETE FROM sagas_keptanswer WHERE (client_id, key) IN (
  SELECT client_id, key FROM sagas_keptanswer WHERE made_at < %s ORDER BY made_at LIMIT %s)
"""


@keeper("sagas.forget_answers", every=60.0)
def forget_answers(*, now: datetime) -> int:
    """Delete answers older than a week, a bounded batch at a time."""
    return execute(OLD, [now - KEPT_FOR, LIMIT])
