"""Processes by pid and start time: a killed supervisor's child is found again, nobody else's is harmed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from config.embedded.state import replace_text


def started_at(pid: int) -> str | None:
    """When a process began, as text no later process with this pid will have. None when gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    return None if fields[0] in {"Z", "X"} else fields[19]


def _started_by_ps(pid: int) -> str | None:
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    state, _, since = shown.partition(" ")
    return since.strip() if state and not state.startswith("Z") else None


@dataclass(frozen=True)
class Recorded:
    """One child as written to disk the moment it was started. Its process group is its own."""

    name: str
    pid: int
    started: str

    @property
    def alive(self) -> bool:
        return started_at(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Send a signal to the process and all it started; nothing when it is another process by now."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


class ProcessBook:
    """The record of children, one small file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, pid: int) -> Recorded:
        """Write a child down. It must lead its own process group."""
        entry = Recorded(name, pid, started_at(pid) or "")
        replace_text(self.folder / f"{name}.json", json.dumps(asdict(entry)))
        return entry

    def forget(self, name: str) -> None:
        (self.folder / f"{name}.json").unlink(missing_ok=True)

    def entries(self) -> list[Recorded]:
        """Every child on record, alive or not."""
        return [entry for file in sorted(self.folder.glob("*.json")) if (entry := _read(file))]

    def stop_orphans(self, *, grace_seconds: float = 10) -> list[str]:
        """Stop what an earlier run left behind: politely, then by force. Returns the names still alive."""
        orphans = [entry for entry in self.entries() if entry.alive]
        stop_all(orphans, grace_seconds=grace_seconds)
        for entry in self.entries():
            self.forget(entry.name)
        return [entry.name for entry in orphans]


def stop_all(children: list[Recorded], *, grace_seconds: float) -> None:
    """Ask each to end (PostgreSQL by SIGINT, its fast shutdown; others by SIGTERM), then kill the rest."""
    for child in children:
        child.signal(polite_signal(child.name))
    deadline = time.monotonic() + grace_seconds
    while any(child.alive for child in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    for child in children:
        child.signal(signal.SIGKILL)
    while any(child.alive for child in children):
        time.sleep(0.02)


def polite_signal(name: str) -> int:
    return signal.SIGINT if name == "postgres" else signal.SIGTERM


def _read(file: Path) -> Recorded | None:
    try:
        return Recorded(**json.loads(file.read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None
