"""The bank's page at which a customer proves who they are, and what comes of it."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from aiohttp import web

from config.sandbox.desk import Desk
from config.sandbox.gateway import Gateway, note_effect, reference_of
from config.sandbox.webhooks import event_of
from config.sandbox.wire import Turned, carrier_error

FAILED = "payment_intent_authentication_failure"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox bank</title>
<h1>Is this payment yours?</h1><p>{amount} {currency} for {reference}</p>
<form method="post"><button name="outcome" value="yes">Yes</button> <button name="outcome" value="no">No</button></form>
"""


class Bank:
    """Handlers of /sandbox/bank/{intent}: the page, and the customer's answer (`outcome`: yes or no)."""

    def __init__(self, desk: Desk, gateway: Gateway) -> None:
        self.desk, self.gateway = desk, gateway

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/bank/{id}", self.ask, allow_head=False),
            web.post("/sandbox/bank/{id}", self.answer),
        ]

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """The question."""
        intent = self._waiting(request.match_info["id"])
        told = {
            "amount": intent["amount"],
            "currency": intent["currency"].upper(),
            "reference": reference_of(intent),
        }
        page = PAGE.format(**{name: escape(str(value)) for name, value in told.items()})
        return web.Response(text=page, content_type="text/html")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The customer's answer. They are sent back to the shop, if it said where."""
        intent = self._waiting(request.match_info["id"])
        back = intent["next_action"]["redirect_to_url"]["return_url"]
        data = await request.post()
        self._decide(intent, well=data.get("outcome") == "yes")
        await self.desk.record.committed()
        if back:
            raise web.HTTPSeeOther(str(back))
        return web.Response(text="Thank you. The shop has been told.")

    def _waiting(self, ident: str) -> dict[str, Any]:
        intent = self.gateway.load(ident)
        if intent["status"] != "requires_action":
            raise Turned(carrier_error(409, "nobody_waits", f"This payment is {intent['status']}."))
        return intent

    def _decide(self, intent: dict[str, Any], *, well: bool) -> None:
        if well:
            intent.update(
                status="requires_capture", amount_capturable=intent["amount"], last_payment_error=None
            )
            note_effect(self.desk, reference_of(intent), "holds", intent["id"], intent["amount"])
        else:
            fault = {
                "type": "invalid_request_error",
                "code": FAILED,
                "message": "The customer did not prove it.",
            }
            intent.update(status="requires_payment_method", payment_method=None, last_payment_error=fault)
        intent["next_action"] = None
        self.desk.record.write(
            "UPDATE intent SET status = ?, received = ?, body = ? WHERE id = ?",
            (intent["status"], intent["amount_received"], json.dumps(intent), intent["id"]),
        )
        self.desk.webhooks.tell(event_of(intent), intent, reference_of(intent))
