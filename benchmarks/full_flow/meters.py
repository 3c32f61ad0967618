"""What a load used: processor time by groups of processes as the system counts it, commits, bytes of the log."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stand import Counters

TICK = os.sysconf("SC_CLK_TCK")
#: A group is all that descends from one process.
Groups = Mapping[str, int]


def cpu_of(pid: int) -> float:
    """What a process has used itself, in seconds. 0 for one that is gone."""
    found = _stat(pid)
    return (found[1] + found[2]) / TICK if found else 0.0


def cpu_under(root: int) -> float:
    """What a process and all that descend from it have used, those that have ended included, in seconds."""
    seen = {pid: found for pid in _pids() if (found := _stat(pid))}
    mine, waiting = 0, [root]
    children: dict[int, list[int]] = {}
    for pid, (parent, *_) in seen.items():
        children.setdefault(parent, []).append(pid)
    while waiting:
        pid = waiting.pop()
        mine += sum(seen.get(pid, (0,))[1:])
        waiting += children.get(pid, [])
    return mine / TICK


@dataclass(frozen=True)
class Meters:
    """Where they stand."""

    counters: Counters
    cpu: dict[str, float]
    at: float

    @classmethod
    def read(cls, groups: Groups) -> Meters:
        """Read them all."""
        cpu = {name: cpu_under(root) for name, root in groups.items()} | {"placing": time.process_time()}
        return cls(Counters.read(), cpu, time.monotonic())

    def since(self, before: Meters, orders: int) -> dict[str, float]:
        """What went by for each order."""
        counted = self.counters.per_order(before.counters, (0, 0, 0, 0), orders)
        found = {name: counted[name] for name in ("commits", "wal_bytes", "messages")}
        for name, seconds in self.cpu.items():
            found[f"cpu ms, {name}"] = (seconds - before.cpu.get(name, 0.0)) * 1000 / orders
        return found


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> tuple[int, ...] | None:
    """Its parent; its user and system time; those of its children that have ended. In ticks; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), *(int(field) for field in fields[11:15])
