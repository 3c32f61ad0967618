"""The gateway's disputes: what customers' banks want back. They come about by `POST /sandbox/doings`."""

from __future__ import annotations

import json
from secrets import token_hex
from typing import Any

from aiohttp import web

from config.sandbox.desk import Call, Desk
from config.sandbox.gateway import Gateway, page_of, reference_of
from config.sandbox.record import Record
from config.sandbox.wire import Reply, Turned, gateway_error, whole_number

WITHDRAWN = ("needs_response", "under_review")
STATUSES = (
    "warning_needs_response", "warning_under_review", "warning_closed", "needs_response", "under_review", "won",
    "lost",
)  # fmt: skip
CLOSED = ("warning_closed", "won", "lost")
#: What a dispute costs unless it is told, in minor units; and how long evidence is taken.
FEE, EVIDENCE_SECONDS = 1500, 7 * 86_400


class Disputes:
    """Handlers of /v1/disputes, and how a dispute comes about or goes on."""

    def __init__(self, desk: Desk, gateway: Gateway) -> None:
        self.desk, self.gateway = desk, gateway

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/disputes", self.list_all, allow_head=False),
            web.get("/v1/disputes/{id}", self.retrieve, allow_head=False),
        ]

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        found = self._load(request.match_info["id"])
        if found is None:
            raise Turned(gateway_error(404, "resource_missing", "No such dispute.", param="id"))
        reference = reference_of(self.gateway.load(found["payment_intent"]))
        return await self.desk.read(
            request, Call.of(request, "retrieve", reference, lambda _: Reply(200, json.dumps(found)))
        )

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        """All disputes, or those of `payment_intent`."""
        intent = request.query.get("payment_intent")
        where, params = ("intent = ?", (intent,)) if intent else ("1", ())
        call = Call.of(
            request, "retrieve", "", lambda _: page_of(self.desk, "dispute", request, where, params)
        )
        return await self.desk.read(request, call)

    def happen(self, intent: dict[str, Any], data: dict[str, Any]) -> None:
        """The bank opens a dispute, or takes the one of that `id` further, and it is told.

        `status` is Stripe's word, `amount` all that was captured unless told, `fee` what it costs when money moves,
        `due_in` the seconds in which evidence is taken.
        """
        status = str(data.get("status", "needs_response"))
        if status not in STATUSES:
            raise Turned(gateway_error(400, "parameter_invalid", f"status is one of {', '.join(STATUSES)}."))
        before = self._load(str(data.get("id", "")))
        dispute = self._moved(before or self._new(intent, data), status, data)
        if before is None:
            self.desk.record.write(
                "INSERT INTO dispute (id, intent, status, amount, body) VALUES (?, ?, ?, ?, ?)",
                (dispute["id"], intent["id"], status, dispute["amount"], json.dumps(dispute)),
            )
        else:
            self.desk.record.write(
                "UPDATE dispute SET status = ?, body = ? WHERE id = ?",
                (status, json.dumps(dispute), dispute["id"]),
            )
        word = "closed" if status in CLOSED else "created" if before is None else "updated"
        self.desk.webhooks.tell(f"charge.dispute.{word}", dispute, reference_of(intent))

    def _load(self, ident: str) -> dict[str, Any] | None:
        found = self.desk.record.row("SELECT body FROM dispute WHERE id = ?", (ident,))
        dispute: dict[str, Any] | None = json.loads(found[0]) if found else None
        return dispute

    def _new(self, intent: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        now = int(self.desk.director.now())
        amount = whole_number(data.get("amount", intent["amount_received"]), least=1)
        if amount is None or amount > intent["amount_received"]:
            raise Turned(gateway_error(400, "parameter_invalid_integer", "Not an amount.", param="amount"))
        return {
            "id": str(data.get("id") or f"dp_{token_hex(12)}"), "object": "dispute", "amount": amount,
            "balance_transactions": [], "charge": intent["latest_charge"], "created": now,
            "currency": intent["currency"], "evidence": {},
            "evidence_details": {
                "due_by": now + int(data.get("due_in", EVIDENCE_SECONDS)), "has_evidence": False,
                "past_due": False, "submission_count": 0,
            },
            "is_charge_refundable": False, "livemode": False, "metadata": {}, "payment_intent": intent["id"],
            "reason": str(data.get("reason", "fraudulent")), "status": "",
        }  # fmt: skip

    def _moved(self, dispute: dict[str, Any], status: str, data: dict[str, Any]) -> dict[str, Any]:
        """Where it has come to. Money is withdrawn once, and comes back when the dispute is won."""
        inquiry = status.startswith("warning_")
        moves = list(dispute["balance_transactions"])
        if not inquiry and not moves:
            moves.append(self._movement(dispute, -dispute["amount"], int(data.get("fee", FEE)), "dispute"))
        if status == "won":
            moves.append(self._movement(dispute, dispute["amount"], 0, "dispute_reversal"))
        details = {**dispute["evidence_details"]}
        if status in ("under_review", "warning_under_review"):
            details.update(has_evidence=True, submission_count=1)
        if status in CLOSED:
            details["due_by"] = None
        return {
            **dispute, "balance_transactions": moves, "evidence_details": details,
            "is_charge_refundable": inquiry, "status": status,
        }  # fmt: skip

    def _movement(self, dispute: dict[str, Any], amount: int, fee: int, category: str) -> dict[str, Any]:
        return {
            "id": f"txn_{token_hex(12)}", "object": "balance_transaction", "amount": amount,
            "created": int(self.desk.director.now()), "currency": dispute["currency"], "fee": fee,
            "net": amount - fee, "reporting_category": category, "source": dispute["id"], "type": "adjustment",
        }  # fmt: skip


def taken(record: Record, intent: str, *statuses: str) -> int:
    """What of an intent stands in disputes of these statuses, in minor units."""
    marks = ", ".join("?" * len(statuses))
    found = record.row(
        f"SELECT coalesce(sum(amount), 0) FROM dispute WHERE intent = ? AND status IN ({marks})",  # noqa: S608
        (intent, *statuses),
    )
    return int(found[0]) if found else 0
