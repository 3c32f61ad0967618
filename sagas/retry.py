"""When to try again: exponential backoff with full jitter, as rows, never as a sleeping worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random


@dataclass(frozen=True)
class RetryPolicy:
    """`attempts` tries in all; waits are drawn evenly from [0, min(cap, base * 2**n)] seconds (full jitter).

    `timeout` bounds the whole step in seconds, from its first try: after it a step before the pivot turns the
    saga back, any other parks it. None means that only the saga's deadline bounds it.
    """

    attempts: int = 12
    base: float = 0.5
    cap: float = 60.0
    timeout: float | None = None

    @classmethod
    def for_undo(cls) -> RetryPolicy:
        """What is given back is tried longer: nobody else will do it."""
        return cls(attempts=20, base=0.5, cap=300.0)

    def exhausted(self, tries: int) -> bool:
        """Whether `tries` failed tries are all there are."""
        return tries >= self.attempts

    def next_at(self, tries: int, *, now: datetime, rng: Random) -> datetime:
        """When to try again after the `tries`-th failure (counted from 1)."""
        ceiling = min(self.cap, self.base * 2 ** min(tries - 1, 30))
        return now + timedelta(seconds=rng.uniform(0, ceiling))
