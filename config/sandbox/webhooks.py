"""The gateway's webhooks: signed events about what happened, sent to one address while nobody waits for them.

They are kept in memory only: a sandbox that is killed forgets what it had not sent, as a provider may. Scripts of
the operation `webhooks` say what becomes of the events of a reference; without one each is sent once, soon.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import aiohttp

from config.sandbox.director import Director
from config.sandbox.profiles import Rule, draw

#: Waits between tries to deliver one event. A provider tries for days; a sandbox gives up, so that it can be lost.
WAITS = (0.2, 1.0, 5.0)
TIMEOUT_SECONDS = 5.0
#: So many are on their way at once.
CONCURRENCY = 16
OPERATION = "webhooks"


@dataclass
class Told:
    """One event to be told, in the words of Stripe's."""

    type: str
    said: dict[str, Any]
    created: int
    id: str = field(default_factory=lambda: f"evt_{token_hex(12)}")

    def body(self, lies: Mapping[str, Any]) -> bytes:
        """The event as it is sent; `lies` are said in place of the truth."""
        event = {
            "id": self.id, "object": "event", "api_version": "2024-06-20", "created": self.created,
            "type": self.type, "livemode": False, "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None}, "data": {"object": {**self.said, **lies}},
        }  # fmt: skip
        return json.dumps(event, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Door:
    """Where events are sent, and the secret they are signed with."""

    url: str
    secret: str = field(repr=False)
    header: str = "Stripe-Signature"
    sender: str = "Stripe/1.0 (+sandbox)"


class Webhooks:
    """Sends events of one sandbox. Without a door it does nothing, and costs nothing."""

    def __init__(self, director: Director, door: Door | None, *, never_early: bool = False) -> None:
        self._director, self._door, self._never_early = director, door, never_early
        self._early: dict[str, list[Told]] = {}
        self._flying: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._room = asyncio.Semaphore(CONCURRENCY)

    def tell(self, type_: str, said: Mapping[str, Any], reference: str) -> None:
        """Have an event told about an object as it stands now. Sent after the present tick's commit."""
        if self._door is None:
            return
        told = Told(type_, json.loads(json.dumps(said)), int(self._director.now()))
        rule = self._director.rule_for(OPERATION, reference)
        if rule is not None:
            self._director.strike(rule, OPERATION, reference)
        if rule is not None and rule.action == "early" and not self._never_early:
            self._early.setdefault(reference, []).append(told)
            return
        chance = draw(self._director.seed, type_, reference)
        for event, wait in planned(told, rule, chance):
            self._start(self._send_later(event, wait, rule))

    async def before_the_answer(self, reference: str) -> None:
        """Send what is to be told before the call that caused it is answered; returns when it was taken."""
        for told in self._early.pop(reference, ()):
            await self._send(told, None)

    async def close(self) -> None:
        """Stop sending. What is under way is dropped."""
        for task in self._flying:
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _start(self, sending: Awaitable[None]) -> None:
        task = asyncio.ensure_future(sending)
        self._flying.add(task)
        task.add_done_callback(self._flying.discard)

    async def _send_later(self, told: Told, wait: float, rule: Rule | None) -> None:
        await asyncio.sleep(wait)
        await self._send(told, rule)

    async def _send(self, told: Told, rule: Rule | None) -> None:
        """Try a few times. A refusal by the receiver is tried again too, as providers do."""
        for wait in (0.0, *WAITS):
            await asyncio.sleep(wait)
            if await self._taken(told, rule):
                return

    async def _taken(self, told: Told, rule: Rule | None) -> bool:
        if self._door is None:
            return True
        body = told.body(rule.params if rule is not None and rule.action == "lie" else {})
        forged = rule is not None and rule.action == "forge"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._door.sender,
            self._door.header: signed(body, token_hex(16) if forged else self._door.secret),
        }
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=False)
        try:
            async with self._room, self._session.post(self._door.url, data=body, headers=headers) as answer:
                return answer.status < 300 or forged
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False


def planned(told: Told, rule: Rule | None, chance: float) -> list[tuple[Told, float]]:
    """Which events are sent for one that happened, and after how many seconds each. `chance` is in [0, 1)."""
    if rule is None:
        return [(told, 0.0)]
    if rule.action == "never":
        return []
    seconds = float(rule.params.get("seconds", 1))
    wait = {"late": seconds, "shuffle": seconds * chance}.get(rule.action, 0.0)
    events = [told] * (int(rule.params.get("copies", 2)) if rule.action == "duplicate" else 1)
    if rule.action == "twin":
        events.append(Told(told.type, told.said, told.created))
    return [(event, wait) for event in events]


def signed(body: bytes, secret: str) -> str:
    """The signature header of a body, made now by the real clock."""
    stamp = str(int(time.time()))
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"


#: What tells that an intent has come to a status.
EVENT_OF_STATUS: Mapping[str, str] = {
    "requires_confirmation": "payment_intent.created",
    "requires_action": "payment_intent.requires_action",
    "processing": "payment_intent.processing",
    "requires_payment_method": "payment_intent.payment_failed",
    "requires_capture": "payment_intent.amount_capturable_updated",
    "succeeded": "payment_intent.succeeded",
    "canceled": "payment_intent.canceled",
}


def event_of(intent: Mapping[str, Any]) -> str:
    """The type of the event that tells that an intent has come to its status."""
    if intent["status"] == "requires_payment_method" and not intent.get("last_payment_error"):
        return "payment_intent.created"
    return EVENT_OF_STATUS[intent["status"]]


__all__ = ["Door", "Told", "Webhooks", "event_of", "planned", "signed"]
