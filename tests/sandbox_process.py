"""The real sandbox in a process of its own, for tests that count what happened at the providers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from config.embedded.state import BASE_DIR
from sagas.resilience.http import HttpClient


class SandboxProcess:
    """Start it, script it, count its effects, kill it. The port stays the same over restarts."""

    def __init__(
        self, folder: Path, *arguments: str, command: tuple[str, ...] = ("-m", "config.sandbox")
    ) -> None:
        self._command = [sys.executable, *command]
        self._database = folder / "sandbox.sqlite3"
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(
            [*self._command, "--port", str(self.port), "--database", str(self._database), *self._arguments],
            cwd=BASE_DIR, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("sandbox listening on http://"), line + self._errors()
        self.port = int(line.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL: it gets no chance to tidy up."""
        self._end(signal.SIGKILL)

    def stand_still(self) -> None:
        """SIGSTOP: connections are taken, and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT: it answers what has waited, and all that comes."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM, and wait. Returns the exit code."""
        return self._end(signal.SIGTERM)

    def client(self, **options: Any) -> HttpClient:
        """A client of it."""
        return HttpClient(self.url, provider="sandbox", **options)

    def script(
        self, operation: str, reference: str, action: str, *, times: int | None = None, **params: Any
    ) -> None:
        """Let the next calls of an operation on a reference (or `*`) meet this. Several are met in turn."""
        body = {"operation": operation, "reference": reference, "action": action, "params": params}
        self.control("PUT", "/sandbox/scripts", {**body, "times": times, "append": True})

    def move_clock(self, ahead_seconds: float) -> None:
        """Let it believe that it is that much later."""
        self.control("PUT", "/sandbox/clock", {"ahead_seconds": ahead_seconds})

    def scan(self, shipment_id: str, status: str, at: datetime) -> None:
        """Let something happen to a parcel, at a moment by the carrier's clock."""
        self.control(
            "POST", "/sandbox/scans", {"id": shipment_id, "status": status, "at": int(at.timestamp())}
        )

    def effects(self, reference: str) -> dict[str, Any]:
        """What really happened there, counted there."""
        return self.control("GET", f"/sandbox/effects?{urlencode({'reference': reference})}")

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Use the side door. Raises HTTPError when it is not open."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        self._process.communicate(timeout=10)
        code, self._process = self._process.returncode, None
        return code

    def _errors(self) -> str:
        assert self._process is not None
        self._process.kill()
        return self._process.communicate()[1]


@contextmanager
def running_sandbox(folder: Path, *arguments: str) -> Iterator[SandboxProcess]:
    """A sandbox for the length of a block."""
    sandbox = SandboxProcess(folder, *arguments)
    sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.stop()
