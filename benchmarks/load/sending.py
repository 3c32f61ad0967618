"""Requests as a shop's own program sends them: connections that are kept, an answer awaited for each."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp

from benchmarks.load.shop import Shop, body, bulk_body

ORDERS = "/api/v1/orders"
BULK = "/api/v1/orders/bulk"
#: The web server ends a connection that has been idle for two seconds: ours goes first.
IDLE_SECONDS = 1.0
MOST_CONNECTIONS = 500
PATIENCE = aiohttp.ClientTimeout(total=120)


class Unexpected(Exception):
    """An answer that a load must not get. The message shows it."""


@dataclass
class Sender:
    """Sends orders to one web server."""

    session: aiohttp.ClientSession
    shop: Shop
    url: str

    async def place(self, reference: str, number: int) -> UUID:
        """Send one order. Its id. Raises Unexpected, aiohttp.ClientError or TimeoutError."""
        data, headers = body(reference, number), self.shop.headers(reference)
        async with self.session.post(f"{self.url}{ORDERS}", data=data, headers=headers) as answer:
            text = await answer.read()
            if answer.status != 202:
                raise Unexpected(f"{answer.status} {text.decode(errors='replace')[:300]}")
        return UUID(json.loads(text)["id"])

    async def place_bulk(self, references: Sequence[str]) -> None:
        """Send many orders in one request. Raises Unexpected unless each is new and was taken."""
        headers = self.shop.headers("") | {"Content-Type": "application/x-ndjson"}
        data = bulk_body(references)
        async with self.session.post(f"{self.url}{BULK}", data=data, headers=headers) as answer:
            text = await answer.read()
            lines = [json.loads(line) for line in text.splitlines()] if answer.status == 200 else []
            if [line["status"] for line in lines] != [202] * len(references):
                raise Unexpected(f"{answer.status} {text.decode(errors='replace')[:300]}")


@asynccontextmanager
async def sender(shop: Shop, url: str) -> AsyncIterator[Sender]:
    """A program that is connected to a web server."""
    connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=IDLE_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session:
        yield Sender(session, shop, url)


async def closed_loop(acts: Sequence[Callable[[], Awaitable[Any]]], *, at_once: int) -> float:
    """Do all of these, so many at once, each of them when one before has its answer. The seconds it took."""
    waiting = iter(acts)

    async def one_after_the_other() -> None:
        for act in waiting:
            await act()

    began = time.monotonic()
    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    return time.monotonic() - began
