"""Runs children, restarts the ones that crash, and stops all of them at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from config.embedded import spawn
from config.embedded.processes import ProcessBook, Recorded, polite_signal, stop_all
from config.embedded.programs import Program, ServiceFailed

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
HEALTHY_AFTER_SECONDS = 30.0


class Child:
    """One running program and the memory of its crashes."""

    def __init__(self, program: Program, log: Path, book: ProcessBook) -> None:
        self.program = program
        self.log = log
        self.restarts = 0
        self._book = book
        self._pause = FIRST_PAUSE_SECONDS
        self._not_before = 0.0
        self.launch()

    def launch(self) -> None:
        """Start the program now, in its own process group, tied to our life."""
        self.program.prepare()
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                _tied_to_us(self.program),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.program.cwd,
                env=os.environ | self.program.env,
                start_new_session=True,
            )
        self.since = time.monotonic()
        self.record = self._book.add(self.program.name, self.process.pid)

    def exited(self) -> bool:
        return self.process.poll() is not None

    def sweep_group(self) -> None:
        """Kill what a dead child left behind in its group: a pool must not outlive its master."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def plan_restart(self) -> float:
        """Seconds until the next start; each crash doubles them, a healthy half minute forgives."""
        if time.monotonic() - self.since > HEALTHY_AFTER_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        self._not_before = time.monotonic() + pause
        return pause

    def due(self) -> bool:
        return time.monotonic() >= self._not_before

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


def _tied_to_us(program: Program) -> list[str]:
    account = program.account
    ids = (str(account.uid), str(account.gid)) if account else ("-", "-")
    number = str(int(polite_signal(program.name)))
    return [sys.executable, "-I", "-S", str(spawn.__file__), number, str(os.getpid()), *ids, *program.command]


class Supervisor:
    """The children of one run. Stopping goes backwards through the order of starting."""

    def __init__(
        self, *, processes: Path, logs: Path, say: Callable[[str], None] = lambda _line: None
    ) -> None:
        self._book = ProcessBook(processes)
        self._logs = logs
        self._say = say
        self._children: dict[str, Child] = {}
        self._waiting: set[str] = set()
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None

    def stop_orphans(self) -> list[str]:
        """Stop children of an earlier supervisor that was killed. Returns their names."""
        return self._book.stop_orphans()

    def start(self, program: Program, *, wait: bool = True) -> None:
        """Start a program and, unless told otherwise, wait until it is ready. Raises ServiceFailed."""
        with self._lock:
            child = Child(program, self._logs / f"{program.name}.log", self._book)
            self._children[program.name] = child
            if wait:
                self._await_ready(child, if_it_ends=_start_again if program.retries_start else _give_up)
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
            self._watcher.start()

    def pid(self, name: str) -> int:
        """The process id of a running child."""
        return self._children[name].process.pid

    def restarts(self, name: str) -> int:
        """How often a child was started again after a crash."""
        return self._children[name].restarts

    def await_ready(self, name: str) -> None:
        """Wait until a child answers, also one being started again. Raises ServiceFailed in the end."""
        self._await_ready(self._children[name], if_it_ends=_leave_to_watcher)

    def await_all(self) -> None:
        """Wait until every child answers. Raises ServiceFailed for the first that does not."""
        for child in list(self._children.values()):
            self._await_ready(child, if_it_ends=_give_up)

    def kill(self, name: str) -> None:
        """Kill a child and its group without warning, as a crash would. The supervisor starts it again."""
        self._children[name].record.signal(signal.SIGKILL)

    def stop(self, name: str, *, grace_seconds: float = 10) -> None:
        """Stop one child for good."""
        with self._lock:
            child = self._children.pop(name)
        self._end([child], grace_seconds)

    def stop_all(self, *, grace_seconds: float = 15) -> None:
        """Stop everything, the last started first; services that others lean on go last. Safe to repeat."""
        self._ending.set()
        with self._lock:
            children = list(self._children.values())[::-1]
            self._children.clear()
        leaned_on = [child for child in children if child.program.name in {"postgres", "valkey"}]
        self._end([child for child in children if child not in leaned_on], grace_seconds)
        self._end(leaned_on, grace_seconds)
        # Last: a child started again by the watcher dies with the thread that started it.
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join()

    def _end(self, children: list[Child], grace_seconds: float) -> None:
        records: list[Recorded] = [child.record for child in children]
        stop_all(records, grace_seconds=grace_seconds)
        for child in children:
            child.process.wait()
            child.sweep_group()
            self._book.forget(child.program.name)

    def _await_ready(self, child: Child, *, if_it_ends: Callable[[Child], None]) -> None:
        deadline = time.monotonic() + child.program.ready_within_seconds
        while not child.program.ready():
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{child.program.name} was not ready in time:\n{child.last_words()}")
            if child.exited():
                if_it_ends(child)
            time.sleep(0.02)

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            with self._lock:
                for child in self._children.values():
                    self._look_after(child)

    def _look_after(self, child: Child) -> None:
        name = child.program.name
        if not child.exited() or self._ending.is_set():
            return
        if name not in self._waiting:
            child.sweep_group()
            pause = child.plan_restart()
            self._waiting.add(name)
            self._say(f"{name} ended with {child.process.returncode}; starting it again in {pause:.1f} s")
        elif child.due():
            self._waiting.discard(name)
            child.launch()
            child.restarts += 1


def _give_up(child: Child) -> None:
    raise ServiceFailed(f"{child.program.name} ended at once:\n{child.last_words()}")


def _start_again(child: Child) -> None:
    time.sleep(FIRST_PAUSE_SECONDS)
    child.launch()


def _leave_to_watcher(_child: Child) -> None:
    """The watcher starts it again; we only wait."""
