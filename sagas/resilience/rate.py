"""How many calls a second a provider may get from all workers together, and how many of them may be repeats. Pure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import floor


@dataclass(frozen=True)
class RateState:
    """Up to when what was let through is paid for, in seconds since the epoch."""

    paid_until: float = 0.0


def take(
    state: RateState, want: int, now: float, *, per_second: float, burst: int
) -> tuple[RateState, tuple[int, float]]:
    """Take up to `want` calls of a steady rate, `burst` of them at once. How many, and when the next one may go."""
    each = 1 / per_second
    begin = max(state.paid_until, now)
    free = floor((now + burst * each - begin) / each + 1e-6)
    count = max(0, min(want, free))
    return RateState(begin + count * each), (count, max(now, begin + (count + 1 - burst) * each))


class RetryBudget:
    """Repeats are a share of the first calls, and a few a second besides, so that no storm of them can begin.

    Of this process alone: all workers keep to it, so together they do. Threads may share it.
    """

    def __init__(
        self, *, share: float = 0.2, per_second: float = 5.0, most: float = 50.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._share, self._per_second, self._most, self._clock = share, per_second, most, clock
        self._left, self._at = most, clock()
        self._lock = threading.Lock()

    def first(self) -> None:
        """A first call was made."""
        with self._lock:
            self._left = min(self._most, self._left + self._share)

    def repeat(self) -> bool:
        """Whether a repeat may be made now."""
        with self._lock:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._at) * self._per_second)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
