"""Ending a run from outside: its supervisor first, then whatever a killed one left behind."""

from __future__ import annotations

import os
import signal
import time

from config.embedded.processes import ProcessBook, started_at
from config.embedded.state import State


def end_run(state: State, *, grace_seconds: float = 30) -> list[str]:
    """Stop the run that holds this state and all children on record. Safe to repeat.

    Returns the names of what was stopped.
    """
    stopped = []
    if (held := state.holder()) and _end_supervisor(*held, grace_seconds=grace_seconds):
        stopped.append(held[1])
    if state.processes.exists():
        stopped += ProcessBook(state.processes).stop_orphans()
    return stopped


def _end_supervisor(pid: int, _purpose: str, *, grace_seconds: float) -> bool:
    started = started_at(pid)
    if pid <= 0 or started is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while started_at(pid) == started:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return True
