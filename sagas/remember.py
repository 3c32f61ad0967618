"""Remembering what is dear to read for a moment, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: What takes long to read is read more rarely, so that a page open on many screens never loads the database.
SHARE = 20


class Remembered(Generic[T]):
    """The answer of `read`, at most `seconds` old, older if reading takes long. Threads share one reading."""

    def __init__(self, read: Callable[[], T], *, seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: tuple[T, float] | None = None

    def get(self) -> T:
        """What was read last, read anew if it is too old. An error is raised and not remembered."""
        with self._lock:
            began = time.monotonic()
            if self._kept is None or began >= self._kept[1]:
                answer, took = self._read(), time.monotonic() - began
                self._kept = (answer, began + took + max(self._seconds, SHARE * took))
            return self._kept[0]

    def forget(self) -> None:
        """Read anew the next time."""
        with self._lock:
            self._kept = None
