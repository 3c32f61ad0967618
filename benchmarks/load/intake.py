"""How fast orders are taken in: alone at the API, alone at a bare view, and in bulk. Nothing else is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import NamedTuple

from benchmarks.load.sending import Sender, closed_loop, sender
from benchmarks.load.shop import Shop

SINGLE, BARE, BULK = "single", "bare view", "bulk"
#: The web server's threads twice over: it never waits for us.
AT_ONCE = 16
#: Orders of one bulk request, and how many such are on their way.
LINES, REQUESTS_AT_ONCE = 500, 4
#: So many times the orders are sent in bulk, or it would be over too soon.
IN_BULK = 3
#: Before anything counts: connections are made, plans kept.
WARM_UP = 200


class Way(NamedTuple):
    """One way to take orders in: its name, what sends so many under a prefix and says how long it took, how many."""

    name: str
    send: Callable[[str, int], Awaitable[float]]
    orders: int


@dataclass
class Intake:
    """Orders a second of each way, round for round."""

    rounds: dict[str, list[float]] = field(default_factory=lambda: {SINGLE: [], BARE: [], BULK: []})

    def rate(self, way: str) -> float:
        """The median of the rounds."""
        return median(self.rounds[way])

    @property
    def single_to_bare(self) -> float:
        return self.rate(SINGLE) / self.rate(BARE)

    @property
    def bulk_to_single(self) -> float:
        return self.rate(BULK) / self.rate(SINGLE)


def measure(
    shop: Shop, url: str, bare_url: str, *, orders: int, rounds: int, say: Callable[[str], None]
) -> Intake:
    """Send `orders` orders in each way in each round, the ways by turns."""
    return asyncio.run(_measure(shop, url, bare_url, orders=orders, rounds=rounds, say=say))


async def _measure(
    shop: Shop, url: str, bare_url: str, *, orders: int, rounds: int, say: Callable[[str], None]
) -> Intake:
    found = Intake()
    async with sender(shop, url) as api, sender(shop, bare_url) as bare:
        ways = [
            Way(SINGLE, partial(_alone, api), orders),
            Way(BARE, partial(_alone, bare), orders),
            Way(BULK, partial(_in_bulk, api), orders * IN_BULK),
        ]
        for way in ways:
            await way.send(f"warm-{way.name}", WARM_UP)
        for turn in range(rounds):
            for way in ways if turn % 2 == 0 else ways[::-1]:
                rate = way.orders / await way.send(f"{way.name}-{turn}", way.orders)
                found.rounds[way.name].append(rate)
                say(f"{way.name}: {rate:,.0f} orders/s")
    return found


async def _alone(to: Sender, prefix: str, count: int) -> float:
    acts = [partial(to.place, f"{prefix}-{n}", n) for n in range(count)]
    return await closed_loop(acts, at_once=AT_ONCE)


async def _in_bulk(to: Sender, prefix: str, count: int) -> float:
    named = [f"{prefix}-{n}" for n in range(count)]
    acts = [partial(to.place_bulk, named[start : start + LINES]) for start in range(0, count, LINES)]
    return await closed_loop(acts, at_once=REQUESTS_AT_ONCE)
