"""The front desk of both providers: idempotency keys and scripted trouble, around any call that acts.

Trouble comes in two kinds. Before the key is looked at: the line breaks, the provider is down, asks for
patience, or is slow. After the call was done: the answer is lost, or a 5xx is sent in its place. A repeat
with the same key gets the stored answer. A 500 sent in place of an answer is what the key stores, as Stripe
does (the truth has to be retrieved); a 502 or 504 comes from a proxy in front, so a repeat gets the true
answer. A rule's parameter `replays` ("error" or "result") says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from config.sandbox.director import Director
from config.sandbox.profiles import Rule
from config.sandbox.record import Record
from config.sandbox.webhooks import Webhooks
from config.sandbox.wire import ErrorShape, Reply, Turned, carrier_error, fingerprint, gateway_error

DAY_SECONDS = 86_400.0
Act = Callable[[Rule | None], Reply]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to act. `act` does it within the current tick; it may raise Turned."""

    provider: str
    operation: str
    reference: str
    key: str | None
    fingerprint: str
    act: Act

    @classmethod
    def of(
        cls,
        request: web.Request,
        operation: str,
        reference: str,
        act: Act,
        params: Mapping[str, Any] | None = None,
    ) -> Call:
        """The call a request makes. `params` is None for one that only reads."""
        return cls(
            provider="carrier" if request.path.startswith("/carrier/") else "gateway",
            operation=operation,
            reference=reference,
            key=request.headers.get("Idempotency-Key") if params is not None else None,
            fingerprint=fingerprint(request, params) if params is not None else "",
            act=act,
        )

    @property
    def error(self) -> ErrorShape:
        return gateway_error if self.provider == "gateway" else carrier_error


class Desk:
    """Takes calls in. One per server: keys in use are known by the process, stored answers by the record."""

    def __init__(
        self,
        record: Record,
        director: Director,
        key_seconds: float = DAY_SECONDS,
        webhooks: Webhooks | None = None,
        tracking: Webhooks | None = None,
    ) -> None:
        self.record = record
        self.director = director
        self.webhooks = webhooks or Webhooks(director, None)
        self.tracking = tracking or Webhooks(director, None)  #: Of the carrier.
        self.address = ""  #: By which the last caller reached us.
        self._key_seconds = key_seconds
        self._in_use: set[tuple[str, str]] = set()

    async def take(self, request: web.Request, call: Call) -> web.StreamResponse:
        """Answer a call that acts, with all that may befall it."""
        self.address = f"{request.scheme}://{request.host}"
        try:
            with self._holding(call):
                return await self._take(request, call)
        except Turned as turned:
            return turned.answer.to_response()

    async def read(self, request: web.Request, call: Call) -> web.StreamResponse:
        """Answer a call that only reads. It may be scripted too, but there is nothing to store."""
        rule = self.director.rule_for(call.operation, call.reference)
        if rule is not None:
            early = await self._before(request, call, rule)
            if early is not None:
                return early
        answer = self._act(call, rule)
        await self.record.committed()
        if rule is not None and rule.action in {"do_then_drop", "do_then_5xx"}:
            return await self._after(request, call, rule, answer)
        return answer.to_response()

    async def _take(self, request: web.Request, call: Call) -> web.StreamResponse:
        self.director.count_attempt(call.operation, call.reference)
        rule = self.director.rule_for(call.operation, call.reference)
        if rule is not None:
            early = await self._before(request, call, rule)
            if early is not None:
                return early
        stored = self._stored(call)
        if stored is not None:
            await self.record.committed()
            return stored.to_response(replayed=True)
        with self.record.whole():
            answer = self._act(call, rule)
            self._store(call, rule, answer)
        if rule is None:
            await self.record.committed()
            await self.webhooks.before_the_answer(call.reference)
            return answer.to_response()
        return await self._after(request, call, rule, answer)

    async def _before(self, request: web.Request, call: Call, rule: Rule) -> web.StreamResponse | None:
        """Trouble that comes before anything is done. None: go on."""
        if rule.action == "drop":
            self._strike(call, rule)
            await self.record.committed()
            return hang_up(request)
        if rule.action in {"rate_limit", "unavailable"}:
            wait = self.director.retry_after(rule, call.operation, call.reference)
            self._strike(call, rule)
            await self.record.committed()
            return not_now(call, rule, wait).to_response()
        if rule.action == "delay" and not rule.params.get("done_first"):
            self._strike(call, rule)
            await self.record.committed()
            await asyncio.sleep(float(rule.params.get("seconds", 1)))
        return None

    def _act(self, call: Call, rule: Rule | None) -> Reply:
        if rule is not None and rule.action == "refuse":
            code = str(rule.params.get("code", "refused"))
            status = int(rule.params.get("status", 400 if call.provider == "gateway" else 422))
            said = {"field": rule.params["field"]} if "field" in rule.params else {}
            return call.error(status, code, f"The provider refused: {code}.", **said)
        try:
            return call.act(rule)
        except Turned as turned:
            return turned.answer

    async def _after(self, request: web.Request, call: Call, rule: Rule, answer: Reply) -> web.StreamResponse:
        """Trouble that comes when it is done, or none."""
        counted = rule.action == "refuse" and rule.most_times is not None
        if counted or rule.action in {"do_then_drop", "do_then_5xx"} or rule.params.get("done_first"):
            self._strike(call, rule)
        await self.record.committed()
        await self.webhooks.before_the_answer(call.reference)
        if rule.action == "do_then_drop":
            return hang_up(request)
        if rule.action == "do_then_5xx":
            return broken(call, rule).to_response()
        if rule.action == "delay" and rule.params.get("done_first"):
            await asyncio.sleep(float(rule.params.get("seconds", 1)))
        return answer.to_response()

    def _strike(self, call: Call, rule: Rule) -> None:
        self.director.strike(rule, call.operation, call.reference)

    @contextmanager
    def _holding(self, call: Call) -> Iterator[None]:
        """Keep a twin with the same key out while this call is on its way."""
        if call.key is None:
            yield
            return
        name = (call.provider, call.key)
        if name in self._in_use:
            twin = call.error(
                409, "idempotency_key_in_use", "Another request with this key is being worked on.",
                type="idempotency_error")  # fmt: skip
            raise Turned(advised(call, twin, retry=True))
        self._in_use.add(name)
        try:
            yield
        finally:
            self._in_use.discard(name)

    def _stored(self, call: Call) -> Reply | None:
        if call.key is None:
            return None
        found = self.record.row(
            "SELECT fingerprint, status, body, at FROM answer WHERE scope = ? AND key = ?",
            (call.provider, call.key),
        )
        if found is None or found[3] + self._key_seconds <= self.director.now():
            return None
        if found[0] != call.fingerprint:
            raise Turned(reused(call))
        return Reply(found[1], found[2])

    def _store(self, call: Call, rule: Rule | None, answer: Reply) -> None:
        if call.key is None:
            return
        if rule is not None and rule.action == "do_then_5xx" and replays_error(rule):
            answer = broken(call, rule)
        self.record.write(
            "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?)",
            (call.provider, call.key, call.fingerprint, answer.status, answer.body, self.director.now()),
        )


def hang_up(request: web.Request) -> web.Response:
    """Close the connection at once, without an answer."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def not_now(call: Call, rule: Rule, wait: str) -> Reply:
    """429 or 503, both proof that nothing was done."""
    if rule.action == "rate_limit":
        answer = call.error(
            429, "rate_limit", "Too many requests. Nothing was done.", type="rate_limit_error"
        )
    else:
        answer = call.error(
            503, "temporarily_unavailable", "Down for a while. Nothing was done.", type="api_error"
        )
    return advised(call, Reply(answer.status, answer.body, {"Retry-After": wait}), retry=True)


def reused(call: Call) -> Reply:
    """One key for two requests. The carrier has a code for it; Stripe says it by the type alone."""
    message = "This key was first used with another request."
    if call.provider == "gateway":
        return gateway_error(400, "", message, type="idempotency_error")
    return carrier_error(409, "idempotency_key_reused", message)


def broken(call: Call, rule: Rule) -> Reply:
    """The 5xx that is sent in place of a true answer."""
    status = int(rule.params.get("status", 500))
    answer = call.error(status, "internal_error", "Something went wrong here.", type="api_error")
    return advised(call, answer, retry=not replays_error(rule))


def advised(call: Call, answer: Reply, *, retry: bool) -> Reply:
    """Stripe tells its clients whether a repeat with the same key can bring anything else."""
    if call.provider != "gateway":
        return answer
    advice = {"Stripe-Should-Retry": "true" if retry else "false"}
    return Reply(answer.status, answer.body, {**answer.headers, **advice})


def replays_error(rule: Rule) -> bool:
    """Whether the key of a call that was answered with a 5xx stores that 5xx."""
    by_status = "error" if int(rule.params.get("status", 500)) == 500 else "result"
    return bool(rule.params.get("replays", by_status) == "error")
