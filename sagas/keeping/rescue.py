"""Rescue: turns whose worker died are noted, so that the next batch there is smaller."""

from __future__ import annotations

from datetime import datetime

from sagas.loops import keeper
from sagas.sql import rows
from sagas.turns import bury

NAMES = "SELECT DISTINCT name FROM sagas_turn"


@keeper("sagas.rescue", every=2.0)
def rescue(*, now: datetime) -> int:  # noqa: ARG001 - a keeper is given the time
    """Bury dead turns. What they had claimed comes back by itself when its lease runs out."""
    names = [row[0] for row in rows(NAMES)]
    return sum(bury(name) for name in names)
