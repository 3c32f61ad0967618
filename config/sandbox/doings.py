"""What banks and customers do behind everybody's back: `POST /sandbox/doings` lets it happen, and it is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from config.sandbox.desk import Desk
from config.sandbox.disputes import Disputes
from config.sandbox.gateway import Gateway, card_fault, note_effect, reference_of
from config.sandbox.webhooks import event_of
from config.sandbox.wire import Turned, carrier_error, read_json, reply


class Doings:
    """{"what": authorize, expire, reverse or dispute, "intent": id}, or {"what": "return", "refund": id}."""

    def __init__(self, desk: Desk, gateway: Gateway, disputes: Disputes) -> None:
        self.desk, self.gateway = desk, gateway
        self._acts: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
            "authorize": self._authorize, "expire": self._expire, "reverse": self._reverse, "dispute": disputes.happen,
        }  # fmt: skip

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/sandbox/doings", self.do)]

    async def do(self, request: web.Request) -> web.StreamResponse:
        """Let one thing happen."""
        data = await read_json(request)
        what = str(data.get("what"))
        if what == "return":
            self._return(str(data.get("refund")), str(data.get("code", "expired_or_canceled_card")))
        elif what in self._acts:
            self._acts[what](self.gateway.load(str(data.get("intent"))), data)
        else:
            known = ", ".join([*self._acts, "return"])
            raise Turned(carrier_error(400, "bad_doing", f"what is one of {known}."))
        await self.desk.record.committed()
        return reply({"status": "ok"}).to_response()

    def _authorize(self, intent: dict[str, Any], _: dict[str, Any]) -> None:
        """A confirmation that lingered at the bank comes through after all."""
        self._become(
            intent, status="requires_capture", amount_capturable=intent["amount"], last_payment_error=None
        )
        note_effect(self.desk, reference_of(intent), "holds", intent["id"], intent["amount"])

    def _expire(self, intent: dict[str, Any], _: dict[str, Any]) -> None:
        """The bank lets the hold go by itself."""
        self._become(intent, status="canceled", amount_capturable=0, cancellation_reason="automatic")

    def _reverse(self, intent: dict[str, Any], data: dict[str, Any]) -> None:
        """What was captured turns out not to be covered."""
        fault = card_fault(str(data.get("code", "insufficient_funds")))
        self._become(intent, status="requires_payment_method", amount_received=0, last_payment_error=fault)

    def _become(self, intent: dict[str, Any], **changes: Any) -> None:
        intent.update(changes)
        self.desk.record.write(
            "UPDATE intent SET status = ?, received = ?, body = ? WHERE id = ?",
            (intent["status"], intent["amount_received"], json.dumps(intent), intent["id"]),
        )
        self.desk.webhooks.tell(event_of(intent), intent, reference_of(intent))

    def _return(self, ident: str, code: str) -> None:
        """A refund that had gone out comes back, as from a closed account."""
        found = self.desk.record.row("SELECT body FROM refund WHERE id = ?", (ident,))
        if found is None:
            raise Turned(carrier_error(404, "no_refund", "No such refund."))
        refund = {**json.loads(found[0]), "status": "failed", "failure_reason": code}
        self.desk.record.write(
            "UPDATE refund SET status = ?, body = ? WHERE id = ?", ("failed", json.dumps(refund), ident)
        )
        self.desk.webhooks.tell("refund.updated", refund, reference_of(refund))
