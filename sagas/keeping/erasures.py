"""Erasures: people whose open orders have ended since somebody asked to erase them."""

from __future__ import annotations

from datetime import datetime

from sagas import erasure
from sagas.loops import keeper


@keeper("sagas.erase_waiting", every=60.0)
def erase_waiting(*, now: datetime) -> int:
    """Erase whom nothing open needs any more."""
    return erasure.erase_waiting(now=now)
