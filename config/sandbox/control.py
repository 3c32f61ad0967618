"""The side door under /sandbox: scripts, what really happened, clock, reset, health."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from config.sandbox.desk import Desk
from config.sandbox.profiles import BadRule, Rule
from config.sandbox.wire import Reply, Turned, carrier_error, read_json, reply, whole_number

KINDS = ("holds", "voids", "captures", "refunds", "labels", "cancellations", "pickups", "deliveries")
MONEY = {"holds": "held_minor", "captures": "captured_minor", "refunds": "refunded_minor"}
MOST_LISTED = 1000


class Control:
    """Handlers of /sandbox."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.record = desk.record
        self.director = desk.director

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/health", self.health),
            web.get("/sandbox/health", self.health),
            web.get("/sandbox/scripts", self.scripts, allow_head=False),
            web.put("/sandbox/scripts", self.put_script),
            web.delete("/sandbox/scripts", self.delete_scripts),
            web.get("/sandbox/effects", self.effects, allow_head=False),
            web.get("/sandbox/attempts", self.attempts, allow_head=False),
            web.put("/sandbox/clock", self.put_clock),
            web.post("/sandbox/reset", self.reset),
        ]

    async def health(self, _: web.Request) -> web.StreamResponse:
        counts = {
            table: (self.record.row(f"SELECT coalesce(max(seq), 0) FROM {table}") or (0,))[0]  # noqa: S608 - constants
            for table in ("intent", "refund", "shipment", "effect")
        }
        director = self.director
        return reply({
            "status": "ok", "seed": director.seed, "profile": director.profile.name,
            "ahead_seconds": director.ahead_seconds, "made": counts,
        }).to_response()  # fmt: skip

    async def scripts(self, _: web.Request) -> web.StreamResponse:
        return reply({"data": self.director.scripts()}).to_response()

    async def put_script(self, request: web.Request) -> web.StreamResponse:
        """{operation, reference or "*", action, params, times, append}: what that pair's next calls meet."""
        data = await read_json(request)
        reference, append = data.pop("reference", "*"), data.pop("append", False)
        try:
            rule = Rule.from_json(data)
        except (BadRule, TypeError) as error:
            raise Turned(carrier_error(400, "bad_script", str(error))) from error
        self.director.script(rule, str(reference), append=append is True)
        return await self._done()

    async def delete_scripts(self, request: web.Request) -> web.StreamResponse:
        """All scripts, or those of `operation` and `reference` in the query."""
        self.director.unscript(request.query.get("operation"), request.query.get("reference"))
        return await self._done()

    async def effects(self, request: web.Request) -> web.StreamResponse:
        """What really happened to one `reference`, or to all: `after` and `limit` page by reference."""
        await self.record.committed()
        if (reference := request.query.get("reference")) is not None:
            return reply(self._effects_of(reference)).to_response()
        return self._all_effects(request).to_response()

    async def attempts(self, _: web.Request) -> web.StreamResponse:
        """How many calls of each operation have come in, whatever became of them."""
        rows = self.record.rows("SELECT operation, sum(count) FROM attempt GROUP BY operation", ())
        return reply({"attempts": dict(rows)}).to_response()

    async def put_clock(self, request: web.Request) -> web.StreamResponse:
        """{"ahead_seconds": n}: run that far ahead, so that keys are forgotten and outages pass."""
        ahead = (await read_json(request)).get("ahead_seconds")
        if isinstance(ahead, bool) or not isinstance(ahead, int | float):
            raise Turned(carrier_error(400, "bad_clock", "ahead_seconds is a number."))
        self.director.move_clock(float(ahead))
        return await self._done()

    async def reset(self, _: web.Request) -> web.StreamResponse:
        """Forget everything: objects, keys, effects, scripts, clock. Seed and profile stay."""
        self.record.clear()
        self.director.reload()
        return await self._done()

    async def _done(self) -> web.StreamResponse:
        await self.record.committed()
        return reply({"status": "ok"}).to_response()

    def _effects_of(self, reference: str) -> dict[str, Any]:
        rows = self.record.rows(
            "SELECT kind, count(*), sum(amount) FROM effect WHERE reference = ? GROUP BY kind", (reference,)
        )
        attempts = self.record.rows("SELECT operation, count FROM attempt WHERE reference = ?", (reference,))
        return {"reference": reference, **summary(rows), "attempts": dict(attempts)}

    def _all_effects(self, request: web.Request) -> Reply:
        limit = whole_number(request.query.get("limit", str(MOST_LISTED)), least=1, most=MOST_LISTED)
        if limit is None:
            raise Turned(carrier_error(400, "bad_page", f"limit is 1 to {MOST_LISTED}."))
        rows = self.record.rows(
            "SELECT reference, kind, count(*), sum(amount) FROM effect WHERE reference IN"
            " (SELECT DISTINCT reference FROM effect WHERE reference > ? ORDER BY reference LIMIT ?)"
            " GROUP BY reference, kind ORDER BY reference",
            (request.query.get("after", ""), limit),
        )
        found: dict[str, list[tuple[Any, ...]]] = {}
        for reference, *rest in rows:
            found.setdefault(reference, []).append(tuple(rest))
        data = [{"reference": reference, **summary(kinds)} for reference, kinds in found.items()]
        return reply({"data": data, "next": data[-1]["reference"] if len(data) == limit else None})


def summary(rows: list[tuple[Any, ...]]) -> dict[str, int]:
    """Counts by kind, and the money of the kinds that move it."""
    counts = {kind: int(count) for kind, count, _ in rows}
    money = {kind: int(amount) for kind, _, amount in rows}
    return {
        **{kind: counts.get(kind, 0) for kind in KINDS},
        **{name: money.get(kind, 0) for kind, name in MONEY.items()},
    }
