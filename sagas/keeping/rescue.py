"""Rescue: turns whose worker died are noted, so that the next batch there is smaller, and their bells let go."""

from __future__ import annotations

from datetime import datetime

from sagas import bell
from sagas.loops import keeper
from sagas.sql import rows
from sagas.turns import bury

NAMES = "SELECT DISTINCT name FROM sagas_turn"


@keeper("sagas.rescue", every=2.0)
def rescue(*, now: datetime) -> int:  # noqa: ARG001 - a keeper is given the time
    """Bury dead turns. What they had claimed comes back by itself when its lease runs out."""
    names = [row[0] for row in rows(NAMES)]
    return sum(_rescue(name) for name in names)


def _rescue(name: str) -> int:
    """The dead hold their bell until it runs out; a live worker at it loses nothing if it is rung once more."""
    if dead := bury(name):
        bell.let_go(name)
    return dead
