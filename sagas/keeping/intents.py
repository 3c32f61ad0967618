"""Intents: what people asked is taken up although the bell for it was lost."""

from __future__ import annotations

from datetime import datetime

from sagas.loops import keeper
from sagas.tasks import take_up_intents


@keeper("sagas.intents", every=0.5)
def intents(*, now: datetime) -> int:
    """Apply waiting intents."""
    del now
    return take_up_intents()
