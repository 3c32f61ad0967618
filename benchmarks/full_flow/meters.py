"""Seconds of processor time, by groups of processes, as the system counts them."""

from __future__ import annotations

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """What a process has used itself, in seconds."""
    return sum(_times(pid)[:2]) / TICK


def _times(pid: int) -> list[int]:
    """User and system time of a process, then of its children that have ended, in ticks. None for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return [0, 0, 0, 0]
    return [int(field) for field in fields[11:15]]
