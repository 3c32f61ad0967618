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

KILLED = -signal.SIGKILL


class Zygote:
    """The process that is forked. Used by tests; the other half of this file runs inside it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.mortal"], cwd=BASE_DIR, env=os.environ | env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *, dies_at: str = "", **settling: Any) -> int:
        """Let a process settle everything there is to do, or die. 0 when it lived, minus the signal if not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"dies_at": dies_at, "settling": settling}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        """End it; its runs have ended before."""
        self._process.communicate()


def _main() -> None:
    import django

    django.setup()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _live(json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _live(order: Mapping[str, Any]) -> None:
    from sagas import crash
    from tests.scenarios.settling import settle

    os.environ[crash.VARIABLE] = order["dies_at"]
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
