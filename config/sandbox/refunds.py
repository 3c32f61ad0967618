"""The gateway's refunds: never more than was captured, over all refunds of an intent."""

from __future__ import annotations

import json
from secrets import token_hex
from typing import Any

from aiohttp import web

from config.sandbox.desk import Call, Desk
from config.sandbox.disputes import WITHDRAWN, taken
from config.sandbox.gateway import Gateway, decline_code, note_effect, page_of, reference_of, unexpected
from config.sandbox.profiles import Rule
from config.sandbox.wire import Reply, Turned, gateway_error, read_form, whole_number

#: What every refund has at Stripe and never anything but null here.
UNUSED = dict.fromkeys((
    "balance_transaction", "receipt_number", "source_transfer_reversal", "transfer_reversal",
))  # fmt: skip


class Refunds:
    """Handlers of /v1/refunds."""

    def __init__(self, desk: Desk, gateway: Gateway) -> None:
        self.desk = desk
        self.record = desk.record
        self.gateway = gateway

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/refunds", self.create),
            web.get("/v1/refunds", self.list_all, allow_head=False),
            web.get("/v1/refunds/{id}", self.retrieve, allow_head=False),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        params = await read_form(request)
        ident = str(params.get("payment_intent", ""))
        metadata = params.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise Turned(gateway_error(400, "parameter_invalid", "metadata is an object.", param="metadata"))
        reference = str(metadata.get("reference") or reference_of(self.gateway.load(ident)))

        def act(rule: Rule | None) -> Reply:
            return self.refund(self.gateway.load(ident), params, metadata, rule)

        return await self.desk.take(request, Call.of(request, "refund", reference, act, params))

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        found = self.record.row("SELECT body FROM refund WHERE id = ?", (request.match_info["id"],))
        if found is None:
            raise Turned(gateway_error(404, "resource_missing", "No such refund.", param="id"))
        body: str = found[0]
        reference = reference_of(json.loads(body))
        return await self.desk.read(
            request, Call.of(request, "retrieve", reference, lambda _: Reply(200, body))
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """All refunds, or those of `payment_intent`."""
        intent = request.query.get("payment_intent")
        where, params = ("intent = ?", (intent,)) if intent else ("1", ())
        call = Call.of(
            request, "retrieve", "", lambda _: page_of(self.desk, "refund", request, where, params)
        )
        return await self.desk.read(request, call)

    def refund(
        self, intent: dict[str, Any], params: dict[str, Any], metadata: dict[str, Any], rule: Rule | None
    ) -> Reply:
        """Give captured money back. A scripted decline makes a failed refund, as a closed account does."""
        lost = taken(self.record, intent["id"], "lost")
        left = intent["amount_received"] - self.refunded(intent["id"]) - lost
        if intent["status"] not in ("succeeded", "requires_capture") or not intent["amount_received"]:
            raise unexpected(intent, "refund")
        if taken(self.record, intent["id"], *WITHDRAWN) or (lost and left <= 0):
            raise Turned(gateway_error(400, "charge_disputed", "The customer's bank is after this money."))
        if left == 0:
            raise Turned(gateway_error(400, "charge_already_refunded", "All of it has been refunded."))
        amount = whole_number(params.get("amount", left), least=1)
        if amount is None:
            raise Turned(gateway_error(400, "parameter_invalid_integer", "Not an amount.", param="amount"))
        if amount > left:
            raise Turned(
                gateway_error(400, "amount_too_large", f"Only {left} is left to refund.", param="amount")
            )
        return self._write(intent, amount, params, metadata, decline_code(rule))

    def refunded(self, intent: str) -> int:
        """What has gone back of an intent so far."""
        found = self.record.row(
            "SELECT coalesce(sum(amount), 0) FROM refund WHERE intent = ? AND status = 'succeeded'", (intent,)
        )
        return int(found[0]) if found else 0

    def _write(
        self,
        intent: dict[str, Any],
        amount: int,
        params: dict[str, Any],
        metadata: dict[str, Any],
        failure: str | None,
    ) -> Reply:
        ident = f"re_{token_hex(12)}"
        status = "failed" if failure else "succeeded"
        refund = {
            **UNUSED, "id": ident, "object": "refund", "amount": amount, "charge": intent["latest_charge"],
            "created": int(self.desk.director.now()), "currency": intent["currency"],
            "metadata": {str(k): str(v) for k, v in metadata.items()}, "payment_intent": intent["id"],
            "reason": params.get("reason"), "status": status,
            **({"failure_reason": failure} if failure else {}),
        }  # fmt: skip
        text = json.dumps(refund)
        self.record.write(
            "INSERT INTO refund (id, intent, status, amount, body) VALUES (?, ?, ?, ?, ?)",
            (ident, intent["id"], status, amount, text),
        )
        if failure is None:
            note_effect(self.desk, reference_of(intent), "refunds", ident, amount)
        self.desk.webhooks.tell("refund.created", refund, reference_of(refund) or reference_of(intent))
        return Reply(200, text)
