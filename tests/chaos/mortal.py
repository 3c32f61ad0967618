"""Processes that work until nothing is left to do, unless they are told where to die.

One process boots Django once; a run is a fork of it, so that a death costs milliseconds. It connects to the
database itself, claims, calls and commits as any worker does, and SIGKILL takes it as any worker.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from config.embedded.state import BASE_DIR

KILLED, ASLEEP = -signal.SIGKILL, -signal.SIGSTOP


class Zygote:
    """The process that is forked. Used by tests; the other half of this file runs inside it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.mortal"], cwd=BASE_DIR, env=os.environ | env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *, dies_at: str = "", **settling: Any) -> int:
        """Let a process settle everything there is to do, or die. 0 when it lived, minus the signal if not."""
        return self._ask({"dies_at": dies_at, "signal": "KILL", "settling": settling})

    def fall_asleep(self, at: str, **settling: Any) -> int:
        """The same, but at that place it stops, as on a machine that hangs. `wake` lets it go on."""
        return self._ask({"dies_at": at, "signal": "STOP", "settling": settling})

    def wake(self) -> int:
        """Wake the process that fell asleep last and wait for its end."""
        return self._ask({"wake": True})

    def _ask(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        """End it; its runs have ended before."""
        self._process.communicate()


def _main() -> None:
    import django

    django.setup()
    asleep = 0
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("wake"):
            os.kill(asleep, signal.SIGCONT)
            pid = asleep
        elif (pid := os.fork()) == 0:
            _live(order)
        _, status = os.waitpid(pid, os.WUNTRACED)
        asleep = pid if os.WIFSTOPPED(status) else 0 if pid == asleep else asleep
        sys.stdout.write(f"{_code(status)}\n")
        sys.stdout.flush()
    if asleep:
        os.kill(asleep, signal.SIGKILL)


def _code(status: int) -> int:
    return -os.WSTOPSIG(status) if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)


def _live(order: Mapping[str, Any]) -> None:
    from sagas import crash
    from tests.scenarios.settling import settle

    os.environ |= {crash.VARIABLE: order["dies_at"], crash.SIGNAL: order["signal"]}
    code = 1
    try:
        settle(**order["settling"])
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


if __name__ == "__main__":
    _main()
