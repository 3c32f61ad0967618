"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings

from sagas.sql import rows


def facts() -> dict[str, Any]:
    """The machine and the versions. Needs the running database and broker."""
    import redis

    client = redis.Redis.from_url(settings.WAYBILL.redis_url)
    broker = client.info("server")
    client.close()
    assert isinstance(broker, dict)
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load_over_15_minutes": round(os.getloadavg()[2], 1),
        "python": platform.python_version(),
        "postgresql": rows("SHOW server_version")[0][0],
        "broker": f"Valkey {broker.get('valkey_version', broker.get('redis_version'))}",
        **{name: version(name) for name in ("django", "celery", "psycopg")},
    }


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
