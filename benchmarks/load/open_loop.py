"""Orders that come when they come: sent at their times, whether or not those before have been answered.

Every time is counted from the moment an order was due. If the server, or this program, is late with one, that is in
the figures of all that had to wait for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp

from benchmarks.load.sending import Sender, Unexpected
from benchmarks.load.watching import Watch

#: Nearer than this the next order is not waited for.
CLOSE_SECONDS = 0.0005


@dataclass
class Sent:
    """What became of the orders of one stretch. Times in milliseconds from when an order was due."""

    accepted: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)


@dataclass
class OpenLoop:
    """So many orders a second for so long."""

    to: Sender
    watch: Watch
    rate: float
    seconds: float
    prefix: str
    sent: Sent = field(default_factory=Sent)

    async def run(self) -> Sent:
        """Send them all, and wait for the last answer."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(round(self.rate * self.seconds)):
                due = began + number / self.rate
                await _until(due)
                group.create_task(self._send(number, due))
        return self.sent

    async def _send(self, number: int, due: float) -> None:
        self.sent.late.append(_since(due))
        order: UUID | None = None
        try:
            order = await self.to.place(f"{self.prefix}-{number}", number)
        except (Unexpected, aiohttp.ClientError, TimeoutError) as error:
            self.sent.errors[f"{type(error).__name__}: {error}"[:200]] += 1
            return
        self.sent.accepted.append(_since(due))
        self.watch.expect(order, due)


async def _until(due: float) -> None:
    left = due - time.monotonic()
    # Also when it is late: the answers have to be read in between.
    await asyncio.sleep(left if left > CLOSE_SECONDS else 0)


def _since(due: float) -> float:
    return (time.monotonic() - due) * 1000
