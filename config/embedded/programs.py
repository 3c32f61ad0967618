"""What a supervised child is: a command, where it logs, and how to see that it is ready."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded.state import Account


class ServiceFailed(Exception):
    """A child could not be started. The message names it and ends with the last lines of its log."""


class NotInstalled(Exception):
    """No server program was found. The message says what to install or to set."""


def always_ready() -> bool:
    return True


def nothing_to_prepare() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Program:
    """One long-running child. `prepare` runs before each start, `ready` is asked until it says yes."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    account: Account | None = None
    prepare: Callable[[], None] = nothing_to_prepare
    ready: Callable[[], bool] = always_ready
    ready_within_seconds: float = 30
    #: A start that ends at once is tried again until `ready_within_seconds` have passed. PostgreSQL needs it
    #: right after a crash, while the last process of the old server still holds its shared memory.
    retries_start: bool = False


def answers_http(url: str) -> Callable[[], bool]:
    """A probe that is content with any answer below 500."""

    def probe() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own http:// address
                return True
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False

    return probe


def file_exists(file: Path) -> Callable[[], bool]:
    """A probe for a program that touches a file when it is ready."""
    return file.exists


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def port_is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
