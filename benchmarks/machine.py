"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from django.conf import settings

from sagas.sql import rows

#: What decides whether a commit outlives a power cut, and how much the server may keep in memory.
SAFETY = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
#: So many commits say what one costs.
COMMITS = 200


def facts() -> dict[str, Any]:
    """The machine and the versions. Needs the running database and broker."""
    return {
        **hardware(),
        "postgresql": rows("SHOW server_version")[0][0],
        "broker": broker(settings.WAYBILL.redis_url),
        **{name: version(name) for name in ("django", "celery", "psycopg")},
    }


def hardware() -> dict[str, Any]:
    """What can be told without any service."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "load_over_15_minutes": round(os.getloadavg()[2], 1),
        "python": platform.python_version(),
    }


def database(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """The database server, how safe it keeps what it has committed, and what that costs."""
    found = {"postgresql": "server_version"} | {name: name for name in SAFETY}
    return {
        **{name: _setting(connection, setting) for name, setting in found.items()},
        "commit_ms": round(_commit_ms(connection), 2),
    }


def broker(redis_url: str) -> str:
    """The broker by name and version."""
    import redis

    with redis.Redis.from_url(redis_url) as client:
        found = client.info("server")
    assert isinstance(found, dict)
    return (
        f"Valkey {found['valkey_version']}"
        if "valkey_version" in found
        else f"Redis {found['redis_version']}"
    )


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else ""


def _commit_ms(connection: psycopg.Connection[Any]) -> float:
    """The median of commits that write as little as can be. Needs a connection in autocommit."""
    taken = []
    for _ in range(COMMITS):
        began = time.perf_counter()
        connection.execute("SELECT pg_logical_emit_message(true, 'benchmark', '')")
        taken.append(time.perf_counter() - began)
    return median(taken) * 1000


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
