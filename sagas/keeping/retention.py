"""Retention: what nobody needs any more goes, a bounded batch at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sagas.loops import keeper
from sagas.sql import execute

#: Applied intents and settled parked events are kept so long; their acts stay in the log for good.
KEEP = timedelta(days=90)
LIMIT = 1_000

OLD_INTENTS = """
DELETE FROM sagas_intent WHERE id IN (
  SELECT id FROM sagas_intent WHERE state IN ('applied', 'refused') AND applied_at < %s LIMIT %s)
"""
OLD_PARKED = """
DELETE FROM sagas_parkedevent WHERE id IN (SELECT id FROM sagas_parkedevent WHERE settled_at < %s LIMIT %s)
"""
OLD_DEATHS = "DELETE FROM sagas_death WHERE died_at < %s"


@keeper("sagas.retention", every=60.0)
def retention(*, now: datetime) -> int:
    """Delete old bookkeeping. Sagas, steps and events stay."""
    gone = execute(OLD_INTENTS, [now - KEEP, LIMIT]) + execute(OLD_PARKED, [now - KEEP, LIMIT])
    return gone + execute(OLD_DEATHS, [now - timedelta(hours=1)])
