"""Processes and those they started, and the time they have used."""

from __future__ import annotations

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and everything that descends from it and still lives."""
    found = [pid]
    for member in found:
        found += _children(member)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += map(int, task.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return children


def cpu_seconds(pid: int) -> float:
    """User and system time of a family, those included that have ended and were waited for."""
    return sum(_own(member) for member in family(pid))


def _own(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICK


def resident_bytes(pid: int) -> int:
    """The memory a process holds at present, 0 when it has gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
