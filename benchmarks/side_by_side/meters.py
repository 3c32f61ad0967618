"""What is read off before and after a load: processor time of everything below us, commits, log bytes, memory."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36
#: A process may end while the list is read; so often it is read again.
TRIES = 10

#: Transactions that wrote are counted by the ids given out, savepoints among them. Both are the whole cluster's.
WRITTEN = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint
"""


@dataclass(frozen=True)
class Process:
    """One line of the process table: whose child it is, and its time with that of children it has buried."""

    parent: int
    ticks: int


@dataclass(frozen=True)
class Reading:
    """Where the meters stand."""

    cpu_seconds: float
    commits: int
    wal_bytes: int

    def since(self, before: Reading) -> Reading:
        """What went by in between."""
        return Reading(
            self.cpu_seconds - before.cpu_seconds,
            self.commits - before.commits,
            self.wal_bytes - before.wal_bytes,
        )


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none drops out of our sight. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read(connection: psycopg.Connection[Any]) -> Reading:
    """Read all meters."""
    row = connection.execute(WRITTEN).fetchone()
    assert row is not None
    return Reading(cpu_seconds(), int(row[0]), int(row[1]))


def cpu_seconds(root: int | None = None) -> float:
    """User and system time so far of a process (this one) and all below it, the dead and buried included.

    A dead child's time is its own until its parent buries it, and the parent's from then on: none is lost and none
    counted twice, as long as nobody is buried while the table is read. Then it is read again.
    """
    found = _below(root or os.getpid())
    for _ in range(TRIES):
        before, found = found, _below(root or os.getpid())
        if before.keys() == found.keys():
            break
    return sum(process.ticks for process in found.values()) / TICKS


def peak_mb(pids: Sequence[int]) -> float:
    """The most memory any of these processes, or of those below them, has held since it began. 0 if none lives."""
    found = {below for pid in pids for below in _below(pid)}
    return max((_peak_kb(pid) for pid in found), default=0) / 1024


def _below(root: int) -> dict[int, Process]:
    """A process and its descendants."""
    numbers = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    table = {pid: process for pid in numbers if (process := _process(pid))}
    children: dict[int, list[int]] = {}
    for pid, process in table.items():
        children.setdefault(process.parent, []).append(pid)
    ahead, found = [root], {}
    while ahead:
        pid = ahead.pop()
        if pid in table:
            found[pid] = table[pid]
        ahead += children.get(pid, ())
    return found


def _process(pid: int) -> Process | None:
    """Fields 4 and 14 to 17 of `stat`, counted after the name, which may hold anything."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Process(int(fields[1]), sum(int(field) for field in fields[11:15]))


def _peak_kb(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
