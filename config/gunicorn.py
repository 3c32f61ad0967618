"""The web server's hooks. Addresses and sizes come from its command line."""

from __future__ import annotations

import os
from typing import Any

timeout = 60
graceful_timeout = 10
accesslog = None


def child_exit(_server: Any, worker: Any) -> None:
    """Live gauges of an ended web process leave the sums."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)
