"""The one clock: `waybill_now()` of the database. Hosts may disagree; tests may travel."""

from __future__ import annotations

from datetime import datetime

from sagas.sql import rows


def database_now() -> datetime:
    """The database's time, moved by the session's offset if a test set one."""
    found: datetime = rows("SELECT waybill_now()")[0][0]
    return found


def travel(seconds: float) -> None:
    """Move this session's `waybill_now()` (for tests). Zero comes home."""
    rows("SELECT set_config('waybill.offset', %s, false)", [f"{seconds} seconds"])
