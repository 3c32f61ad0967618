"""Named places where a process may be told to kill itself, so that tests can be worse than production."""

from __future__ import annotations

import os
import signal
from pathlib import Path

#: `name[:hit]`; the process dies at the hit-th time (default the first) it passes that place.
VARIABLE = "WAYBILL_CRASH_POINT"
#: A file made just before dying: the next process that sees it does not die again.
MARKER = "WAYBILL_CRASH_MARKER"

_hits: dict[str, int] = {}


def crash_point(name: str) -> None:
    """SIGKILL this process if the environment names this place. Free when it does not."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    place, _, hit = wanted.partition(":")
    if place != name:
        return
    _hits[name] = _hits.get(name, 0) + 1
    if _hits[name] >= int(hit or 1) and _first_to_die():
        os.kill(os.getpid(), signal.SIGKILL)


def _first_to_die() -> bool:
    marker = os.environ.get(MARKER)
    if not marker:
        return True
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
