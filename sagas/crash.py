"""Named places where a process may be told to die or to stop, so that tests can be worse than production."""

from __future__ import annotations

import os
import signal
from functools import lru_cache
from pathlib import Path

#: `name[:hit]`, several after commas; the process dies at the hit-th time (default the first) it passes a place.
VARIABLE = "WAYBILL_CRASH_POINT"
#: Made just before dying, with the place's name behind it: the next process that sees it does not die there again.
MARKER = "WAYBILL_CRASH_MARKER"
#: KILL, or STOP for a process that only sleeps and may wake up late.
SIGNAL = "WAYBILL_CRASH_SIGNAL"

_hits: dict[str, int] = {}


def crash_point(name: str) -> None:
    """Send this process the signal if the environment names this place. Free when it does not."""
    wanted = os.environ.get(VARIABLE)
    if not wanted or (hit := _places(wanted).get(name)) is None:
        return
    _hits[name] = _hits.get(name, 0) + 1
    if _hits[name] == hit and _first_to_die(name):
        os.kill(os.getpid(), signal.Signals[f"SIG{os.environ.get(SIGNAL, 'KILL')}"])


@lru_cache(maxsize=4)
def _places(wanted: str) -> dict[str, int]:
    parted = (part.partition(":") for part in wanted.split(","))
    return {place: int(hit or 1) for place, _, hit in parted}


def _first_to_die(name: str) -> bool:
    marker = os.environ.get(MARKER)
    if not marker:
        return True
    try:
        Path(f"{marker}.{name}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
