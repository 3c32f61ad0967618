"""One rate, held for a time, and whether the system held it; and the highest rate that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.load.open_loop import OpenLoop, Sent
from benchmarks.load.sending import sender
from benchmarks.load.shop import Shop
from benchmarks.load.watching import Watch, watching
from benchmarks.shopping import percentiles

#: What holding means: so many milliseconds for 99 of 100 orders.
MOST_ACCEPT_MS, MOST_CONFIRMED_MS = 100.0, 1_500.0
POINTS = (50, 95, 99)
#: After the last order, what is left is waited for so long.
AFTERWARDS_SECONDS = 60.0
#: Two rates nearer than this are one.
NEAR = 1.1
#: Below this it is not searched for any more.
SLOWEST = 2.0


@dataclass(frozen=True)
class Held:
    """What was seen at one rate. Percentiles 50, 95 and 99 in milliseconds from when an order was due."""

    rate: float
    seconds: float
    sent: int
    accepted: int
    confirmed: int
    otherwise: int
    errors: dict[str, int]
    accept_ms: list[float]
    confirmed_ms: list[float]
    late_ms: list[float]
    most_waiting: int
    waiting_at_the_end: int

    @property
    def good(self) -> bool:
        """Whether all were taken in and confirmed, in time."""
        whole = self.sent == self.accepted == self.confirmed
        return whole and self.accept_ms[-1] <= MOST_ACCEPT_MS and self.confirmed_ms[-1] <= MOST_CONFIRMED_MS

    def __str__(self) -> str:
        a, c = ("/".join(f"{ms:.0f}" for ms in times) for times in (self.accept_ms, self.confirmed_ms))
        verdict = "held" if self.good else "NOT held"
        told = (
            f"{self.rate:.0f}/s for {self.seconds:.0f} s {verdict}: accepted in {a} ms, confirmed in {c} ms"
        )
        trouble = f", {dict(self.errors)}" if self.errors else ""
        return f"{told}, {self.waiting_at_the_end} waiting at the end{trouble}"


def hold(shop: Shop, url: str, *, rate: float, seconds: float, prefix: str) -> Held:
    """Send orders at a rate for a time, and wait for what they come to."""
    with watching() as watch:
        sent, waiting = asyncio.run(_send(shop, url, watch, rate=rate, seconds=seconds, prefix=prefix))
        watch.wait(AFTERWARDS_SECONDS)
    return Held(
        rate=rate,
        seconds=seconds,
        sent=len(sent.late),
        accepted=len(sent.accepted),
        confirmed=len(watch.confirmed),
        otherwise=watch.otherwise,
        errors=dict(sent.errors),
        accept_ms=_points(sent.accepted),
        confirmed_ms=_points(watch.confirmed),
        late_ms=_points(sent.late),
        most_waiting=watch.most,
        waiting_at_the_end=waiting,
    )


async def _send(
    shop: Shop, url: str, watch: Watch, *, rate: float, seconds: float, prefix: str
) -> tuple[Sent, int]:
    async with sender(shop, url) as to:
        sent = await OpenLoop(to, watch, rate, seconds, prefix).run()
    return sent, watch.backlog


def _points(values: list[float]) -> list[float]:
    return percentiles(values, *POINTS) if values else [float("inf")] * len(POINTS)


def highest(held_at: Callable[[float], Held], first: float) -> float:
    """The highest rate that is held, to a tenth, by doubling and then halving the gap. 0 if none is."""
    good, bad = 0.0, float("inf")
    rate = first
    while bad / max(good, 1e-9) > NEAR and rate >= SLOWEST:
        if held_at(rate).good:
            good = rate
        else:
            bad = rate
        rate = good * 2 if bad == float("inf") else (good + bad) / 2
    return good


def downwards(rate: float) -> Iterator[float]:
    """What is tried for the whole time: what short stretches held, else a tenth less, down to a half."""
    for tenth in range(10, 4, -1) if rate else ():
        yield rate * tenth / 10
