"""The payment gateway: PaymentIntents with manual capture, in Stripe's wire format.

An intent is created unconfirmed (nothing happens to the card), confirmed (the money is held), then captured
or canceled. Amounts are minor units. Refunds are in `refunds.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import Any

from aiohttp import web

from config.sandbox.desk import Call, Desk
from config.sandbox.intents import captures, is_final, is_release, new_intent
from config.sandbox.profiles import Rule
from config.sandbox.webhooks import event_of
from config.sandbox.wire import Reply, Turned, gateway_error, read_form, reply, whole_number

#: So long a hold lasts unless a script says otherwise: `approve` with `life_seconds`.
LIFE_SECONDS = 7 * 86_400.0
AUTHENTICATION_REQUIRED = "authentication_required"
DECLINING_CARDS = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedLostCard": "lost_card",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
}
ACTION_CARDS = {"pm_card_authenticationRequired", "pm_card_threeDSecure2Required"}
CONFIRMABLE = {"requires_confirmation", "requires_payment_method"}
METADATA_CLAUSE = re.compile(
    r"""\s*metadata\[(['"])(?P<name>\w+)\1\]\s*:\s*(['"])(?P<value>(?:\\.|(?!\3)[^\\])*)\3\s*(?:AND\b|$)"""
)


class Gateway:
    """Handlers of /v1/payment_intents."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.record = desk.record

    def routes(self) -> list[web.RouteDef]:
        base = "/v1/payment_intents"
        return [
            web.post(base, self.create),
            web.get(base, self.list_all, allow_head=False),
            web.get(f"{base}/search", self.search, allow_head=False),
            web.get(f"{base}/{{id}}", self.retrieve, allow_head=False),
            web.post(f"{base}/{{id}}/confirm", partial(self.act_on, "authorize", self.confirm)),
            web.post(f"{base}/{{id}}/capture", partial(self.act_on, "capture", self.capture)),
            web.post(f"{base}/{{id}}/cancel", partial(self.act_on, "void", self.cancel)),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        params = await read_form(request)
        metadata = params.get("metadata") or {}
        confirm = str(params.get("confirm", "")).lower() == "true"

        def act(rule: Rule | None) -> Reply:
            intent = new_intent(params, metadata, self.desk.director.now())
            self.record.write(
                "INSERT INTO intent (id, reference, status, amount, body) VALUES (?, ?, ?, ?, ?)",
                (intent["id"], reference_of(intent), intent["status"], intent["amount"], json.dumps(intent)),
            )
            self.desk.webhooks.tell("payment_intent.created", intent, reference_of(intent))
            return self.confirm(intent, {}, rule) if confirm else reply(intent)

        reference = str(metadata.get("reference", "")) if isinstance(metadata, dict) else ""
        call = Call.of(request, "authorize" if confirm else "create", reference, act, params)
        return await self.desk.take(request, call)

    async def act_on(
        self,
        operation: str,
        act: Callable[[dict[str, Any], dict[str, Any], Rule | None], Reply],
        request: web.Request,
    ) -> web.StreamResponse:
        """Confirm, capture or cancel one intent. It is read again when its turn comes, after any delay."""
        params = await read_form(request)
        ident = request.match_info["id"]
        reference = reference_of(self.load(ident))
        operation = "release" if operation == "capture" and is_release(params) else operation
        call = Call.of(
            request, operation, reference, lambda rule: act(self.load(ident), params, rule), params
        )
        return await self.desk.take(request, call)

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        ident = request.match_info["id"]
        reference = reference_of(self.load(ident))
        expand = [value for name, value in request.query.items() if name.partition("[")[0] == "expand"]
        call = Call.of(
            request, "retrieve", reference, lambda _: reply(self._expanded(self.load(ident), expand))
        )
        return await self.desk.read(request, call)

    async def list_all(self, request: web.Request) -> web.StreamResponse:
        self.let_run_out()
        call = Call.of(request, "retrieve", "", lambda _: page_of(self.desk, "intent", request))
        return await self.desk.read(request, call)

    async def search(self, request: web.Request) -> web.StreamResponse:
        """`query=metadata['reference']:'X'`, several joined by AND. Newest first; `page` goes on."""
        wanted = parse_query(request.query.get("query", ""))
        limit = limit_of(request)
        below = whole_number(request.query.get("page", str(2**53)), least=1)
        if below is None:
            raise Turned(gateway_error(400, "parameter_invalid", "Not a page of a search.", param="page"))
        call = Call.of(request, "retrieve", wanted["reference"], lambda _: self._search(wanted, limit, below))
        return await self.desk.read(request, call)

    def confirm(self, intent: dict[str, Any], params: dict[str, Any], rule: Rule | None) -> Reply:
        """Hold the money, or decline: the intent then wants another card."""
        if intent["status"] not in CONFIRMABLE:
            raise unexpected(intent, "confirm")
        card = params.get("payment_method") or intent["payment_method"]
        if not card:
            raise unexpected(intent, "confirm")  # it lost its card to a decline, or never had one
        code = decline_code(rule) or DECLINING_CARDS.get(str(card))
        if code is not None:
            return self._decline(intent, code)
        if str(card) in ACTION_CARDS or (rule is not None and rule.action == "require_action"):
            if str(params.get("off_session", "")).lower() == "true":
                return self._decline(intent, AUTHENTICATION_REQUIRED)  # nobody is there to act
            return self._have_customer_act(intent, str(card), str(params.get("return_url") or ""))
        if rule is not None and rule.action == "single_capture":
            intent["payment_method_options"] = captures("never")
        intent.update(
            status="requires_capture", payment_method=card, amount_capturable=intent["amount"],
            latest_charge=f"ch_{token_hex(12)}", last_payment_error=None,
        )  # fmt: skip
        life = LIFE_SECONDS if rule is None else float(rule.params.get("life_seconds", LIFE_SECONDS))
        self.record.write(
            "INSERT INTO charge VALUES (?, ?, ?)",
            (intent["latest_charge"], intent["id"], self.desk.director.now() + life),
        )
        self._save(intent, "holds", intent["amount"])
        if intent["capture_method"] == "automatic":
            return self.capture(intent, {}, None)
        return reply(self._expanded(intent, params.get("expand") or []))

    def capture(self, intent: dict[str, Any], params: dict[str, Any], rule: Rule | None) -> Reply:
        """Take the held money, all or part of it; what is left of the hold is let go, unless `final_capture` is false.

        A capture of nothing ends a hold of which part was captured.
        """
        if intent["status"] != "requires_capture":
            raise unexpected(intent, "capture")
        if is_release(params) and intent["amount_received"]:
            return self._release(intent)
        final = is_final(params)
        if not final and intent["payment_method_options"] != captures("if_available"):
            raise Turned(gateway_error(
                400, "parameter_invalid", "It can be captured once only.", param="final_capture"))  # fmt: skip
        amount = whole_number(params.get("amount_to_capture", intent["amount_capturable"]), least=1)
        if amount is None:
            raise Turned(
                gateway_error(400, "parameter_invalid_integer", "Not an amount.", param="amount_to_capture")
            )
        if amount > intent["amount_capturable"]:
            raise Turned(gateway_error(
                400, "amount_too_large", "More than was authorized.", param="amount_to_capture",
                payment_intent=intent))  # fmt: skip
        if (code := decline_code(rule)) is not None:
            return card_error(intent, code)
        left = 0 if final else intent["amount_capturable"] - amount
        intent.update(
            status="requires_capture" if left else "succeeded", amount_capturable=left,
            amount_received=intent["amount_received"] + amount,
        )  # fmt: skip
        self._save(intent, "captures", amount)
        return reply(intent)

    def _release(self, intent: dict[str, Any]) -> Reply:
        held = intent["amount_capturable"]
        intent.update(status="succeeded", amount_capturable=0)
        self._save(intent, "voids", held)
        return reply(intent)

    def cancel(self, intent: dict[str, Any], params: dict[str, Any], _: Rule | None) -> Reply:
        """Let the hold go. Refused once captured, and once canceled."""
        if (
            intent["status"] not in CONFIRMABLE | {"requires_capture", "requires_action"}
            or intent["amount_received"]
        ):
            raise unexpected(intent, "cancel")
        held = intent["amount_capturable"]
        intent.update(
            status="canceled", amount_capturable=0, next_action=None, canceled_at=int(self.desk.director.now()),
            cancellation_reason=params.get("cancellation_reason"),
        )  # fmt: skip
        self._save(intent, "voids" if held else "", held)
        return reply(intent)

    def _have_customer_act(self, intent: dict[str, Any], card: str, return_url: str) -> Reply:
        """The bank decides once the customer has been at the page that the intent names."""
        url = f"{self.desk.address}/sandbox/bank/{intent['id']}"
        there = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": return_url or None}}
        intent.update(status="requires_action", payment_method=card, next_action=there)
        self._save(intent, "", 0)
        return reply(intent)

    def let_run_out(self) -> None:
        """Holds come to their end by themselves, as at a bank."""
        over = self.record.rows(
            "SELECT c.id, i.body FROM charge c JOIN intent i ON i.id = c.intent WHERE c.capture_before <= ?",
            (self.desk.director.now(),),
        )
        for charge, body in over:
            self.record.write("DELETE FROM charge WHERE id = ?", (charge,))
            intent = json.loads(body)
            if intent["status"] != "requires_capture":
                continue
            intent["amount_capturable"] = 0
            if intent["amount_received"]:
                intent["status"] = "succeeded"  # what was captured of it stays
            else:
                intent.update(status="canceled", cancellation_reason="automatic")
            self._save(intent)

    def _expanded(self, intent: dict[str, Any], expand: list[str]) -> dict[str, Any]:
        """The intent with its charge in place of the charge's id, for those who ask for it."""
        found = self.record.row("SELECT capture_before FROM charge WHERE id = ?", (intent["latest_charge"],))
        if "latest_charge" not in expand or found is None:
            return intent
        card = {"type": "card", "card": {"capture_before": int(found[0])}}
        return {**intent, "latest_charge": {
            "id": intent["latest_charge"], "object": "charge", "payment_method_details": card,
        }}  # fmt: skip

    def load(self, ident: str) -> dict[str, Any]:
        """The intent as it stands. Turns the request away with a 404 when there is none."""
        self.let_run_out()
        found = self.record.row("SELECT body FROM intent WHERE id = ?", (ident,))
        if found is None:
            raise Turned(
                gateway_error(404, "resource_missing", f"No such payment_intent: {ident!r}", param="intent")
            )
        intent: dict[str, Any] = json.loads(found[0])
        return intent

    def _decline(self, intent: dict[str, Any], code: str) -> Reply:
        intent.update(
            status="requires_payment_method", payment_method=None, last_payment_error=card_fault(code)
        )
        self._save(intent)
        return card_error(intent, code)

    def _save(self, intent: dict[str, Any], effect: str = "", amount: int = 0) -> None:
        self.record.write(
            "UPDATE intent SET status = ?, received = ?, body = ? WHERE id = ?",
            (intent["status"], intent["amount_received"], json.dumps(intent), intent["id"]),
        )
        if effect:
            note_effect(self.desk, reference_of(intent), effect, intent["id"], amount)
        self.desk.webhooks.tell(event_of(intent), intent, reference_of(intent))

    def _search(self, wanted: dict[str, str], limit: int, below: int) -> Reply:
        rows = self.record.rows(
            "SELECT seq, body FROM intent WHERE reference = ? AND seq < ? ORDER BY seq DESC LIMIT 1000",
            (wanted["reference"], below),
        )
        intents = [(seq, json.loads(body)) for seq, body in rows]
        found = [
            (seq, one) for seq, one in intents
            if all(one["metadata"].get(name) == value for name, value in wanted.items())
        ]  # fmt: skip
        more = len(found) > limit
        return reply({
            "object": "search_result", "url": "/v1/payment_intents/search", "has_more": more,
            "next_page": str(found[limit - 1][0]) if more else None, "data": [one for _, one in found[:limit]],
        })  # fmt: skip


def reference_of(obj: dict[str, Any]) -> str:
    """The caller's own name for it, which decides what befalls it."""
    return str(obj["metadata"].get("reference", ""))


def note_effect(desk: Desk, reference: str, kind: str, ident: str, amount: int) -> None:
    """Put on record that something really happened: one row each, never changed."""
    desk.record.write(
        "INSERT INTO effect (reference, kind, object, amount, at) VALUES (?, ?, ?, ?, ?)",
        (reference, kind, ident, amount, desk.director.now()),
    )


def decline_code(rule: Rule | None) -> str | None:
    """The code a script declines with, if it does."""
    if rule is None or rule.action != "decline":
        return None
    return str(rule.params.get("code", "generic_decline"))


def card_fault(code: str) -> dict[str, Any]:
    """What the bank said. Some declines have a code of their own, the others are `card_declined`."""
    own = code if code in {"expired_card", "incorrect_cvc", "incorrect_number"} else "card_declined"
    message = f"The card was declined: {code}."
    return {"type": "card_error", "code": own, "decline_code": code, "message": message}


def card_error(intent: dict[str, Any], code: str) -> Reply:
    return reply({"error": {**card_fault(code), "payment_intent": intent}}, 402)


def unexpected(intent: dict[str, Any], what: str) -> Turned:
    message = f"This PaymentIntent cannot be used for {what}: its status is {intent['status']}."
    return Turned(gateway_error(400, "payment_intent_unexpected_state", message, payment_intent=intent))


def parse_query(query: str) -> dict[str, str]:
    """The metadata clauses of a search. Turns away what it does not understand."""
    wanted: dict[str, str] = {}
    at = 0
    while at < len(query) and (clause := METADATA_CLAUSE.match(query, at)) is not None:
        wanted[clause["name"]] = re.sub(r"\\(.)", r"\1", clause["value"])
        at = clause.end()
    if at < len(query) or "reference" not in wanted:
        raise Turned(
            gateway_error(400, "parameter_invalid", "Search by metadata['reference']:'…'.", param="query")
        )
    return wanted


def limit_of(request: web.Request) -> int:
    """How many items a page may hold. Turns away what is not 1 to 100."""
    limit = whole_number(request.query.get("limit", "10"), least=1, most=100)
    if limit is None:
        raise Turned(gateway_error(400, "parameter_invalid_integer", "limit is 1 to 100.", param="limit"))
    return limit


def page_of(
    desk: Desk, table: str, request: web.Request, where: str = "1", params: tuple[Any, ...] = ()
) -> Reply:
    """One page of a listing, newest first: limit, starting_after, has_more."""
    limit = limit_of(request)
    below = 2**62
    if after := request.query.get("starting_after"):
        found = desk.record.row(f"SELECT seq FROM {table} WHERE id = ?", (after,))  # noqa: S608 - a constant
        if found is None:
            raise Turned(
                gateway_error(400, "resource_missing", f"No such object: {after!r}", param="starting_after")
            )
        below = found[0]
    rows = desk.record.rows(
        f"SELECT body FROM {table} WHERE seq < ? AND {where} ORDER BY seq DESC LIMIT ?",  # noqa: S608 - constants
        (below, *params, limit + 1),
    )
    data = [json.loads(body) for (body,) in rows[:limit]]
    return reply({"object": "list", "url": request.path, "has_more": len(rows) > limit, "data": data})
