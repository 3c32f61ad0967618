"""Waiting for another process to get somewhere."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(true: Callable[[], bool], *, within: float = 15) -> bool:
    """Ask again and again until it is true; False when `within` seconds have passed."""
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
