"""The HTTP server of the sandbox: the two providers and the side door over one record."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from aiohttp import web

from config.sandbox.bank import Bank
from config.sandbox.carrier import Carrier
from config.sandbox.control import Control
from config.sandbox.desk import DAY_SECONDS, Desk
from config.sandbox.director import Director
from config.sandbox.disputes import Disputes
from config.sandbox.doings import Doings
from config.sandbox.gateway import Gateway
from config.sandbox.profiles import DEMO, Profile
from config.sandbox.record import Record
from config.sandbox.refunds import Refunds
from config.sandbox.webhooks import Door, Webhooks
from config.sandbox.wire import MOST_BODY_BYTES, Turned

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run it. Port 0 takes a free one; the chosen address is printed as the first line."""

    host: str = "127.0.0.1"
    port: int = 8090
    database: Path
    seed: int = 1
    profile: Profile = DEMO
    key_seconds: float = DAY_SECONDS
    webhooks: Door | None = None
    tracking: Door | None = None


@web.middleware
async def turn_away(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A request turned away before it reached the desk gets its reply too."""
    try:
        return await handler(request)
    except Turned as turned:
        return turned.answer.to_response()


@web.middleware
async def signed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer of the gateway has a number of its own, and names key and version that it was asked with."""
    answer = await handler(request)
    if request.path.startswith("/v1/"):
        answer.headers["Request-Id"] = f"req_{token_hex(7)}"
        for name in ("Idempotency-Key", "Stripe-Version"):
            if name in request.headers:
                answer.headers[name] = request.headers[name]
    return answer


def make_app(record: Record, options: Options) -> web.Application:
    """The application over an open record."""
    director = Director(record, options.profile, options.seed)
    webhooks = Webhooks(director, options.webhooks)
    tracking = Webhooks(director, options.tracking, never_early=True)
    desk = Desk(record, director, options.key_seconds, webhooks, tracking)
    gateway = Gateway(desk)
    app = web.Application(middlewares=[signed, turn_away], client_max_size=MOST_BODY_BYTES)
    disputes = Disputes(desk, gateway)
    parts = (
        gateway, Refunds(desk, gateway), disputes, Bank(desk, gateway), Doings(desk, gateway, disputes), Carrier(desk),
        Control(desk),
    )  # fmt: skip
    for part in parts:
        app.add_routes(part.routes())

    async def close(_: web.Application) -> None:
        await webhooks.close()
        await tracking.close()

    app.on_cleanup.append(close)
    return app


async def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError when the port is taken."""
    record = Record(options.database)
    runner = web.AppRunner(
        make_app(record, options), access_log=None, keepalive_timeout=120, shutdown_timeout=1
    )
    try:
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port, backlog=1024).start()
        host, port = runner.addresses[0][:2]
        sys.stdout.write(f"sandbox listening on http://{host}:{port}\n")
        sys.stdout.flush()
        await _until_stopped()
    finally:
        await runner.cleanup()
        record.close()


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
