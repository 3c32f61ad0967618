"""Worker processes at the end of a pipe: each gets a line of work at a time, and answers when it is done.

What runs in one is `work(conninfo, number)` of a module; it calls `serve`, and ends when its standard input ends, so
that none outlives the driver. Its standard output belongs to the answers; what it has to say goes to standard error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.side_by_side.contender import Place

#: Where `benchmarks` can be imported from.
ROOT = Path(__file__).resolve().parents[3]

READY = "ready"
DONE = "done"
END_SECONDS = 20


class HandFailed(Exception):
    """A worker process ended where an answer was due. What it said is on standard error."""


class Hand:
    """One worker process, seen by the driver."""

    def __init__(self, module: str, place: Place, number: int, env: Mapping[str, str]) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", __package__, module, place.conninfo, str(number)],
            cwd=ROOT,
            env=os.environ | dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, work: Sequence[Any]) -> None:
        """Give it something to do. One answer comes for all of it."""
        self._in.write(json.dumps(work) + "\n")
        self._in.flush()

    def wait(self, answer: str = DONE) -> None:
        """Block until it has answered. Raises HandFailed when it ended instead."""
        if (line := self._out.readline().strip()) != answer:
            raise HandFailed(f"{self._module} said {line!r} instead of {answer!r}.")

    def do(self, work: Sequence[Any]) -> None:
        """Give it something to do and wait for the answer."""
        self.send(work)
        self.wait()

    def end(self) -> None:
        """Close its input and wait for it to end; kill it when it does not."""
        self._in.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()


@contextmanager
def hands(
    module: str, place: Place, count: int, env: Mapping[str, str] | None = None
) -> Iterator[list[Hand]]:
    """So many workers, all ready; ended with the block."""
    with ExitStack() as stack:
        started = []
        for number in range(count):
            started.append(Hand(module, place, number, env or {}))
            stack.callback(started[-1].end)
        for hand in started:
            hand.wait(READY)
        yield started


def share(hands: Sequence[Hand], work: Sequence[Any]) -> None:
    """Deal work out evenly and wait until all is done."""
    for number, hand in enumerate(hands):
        hand.send(work[number :: len(hands)])
    for hand in hands:
        hand.wait()


def serve(see_through: Callable[[list[Any]], None]) -> None:
    """In a worker: say that it is ready, then see through what comes, until no more can come."""
    print(READY, flush=True)
    for line in sys.stdin:
        see_through(json.loads(line))
        print(DONE, flush=True)


def serve_nothing() -> None:
    """In a worker that finds its work elsewhere: say that it is ready, and wait for the end."""
    print(READY, flush=True)
    sys.stdin.read()


def children_of(pid: int) -> list[int]:
    """The processes a process has started."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = (map(int, line.split()) for line in listing.splitlines())
    return [child for child, parent in pairs if parent == pid]
