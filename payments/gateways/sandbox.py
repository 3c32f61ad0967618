"""The sandbox gateway over HTTP, in Stripe's wire format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from payments.gateways import base
from payments.gateways.base import (
    Intent,
    IntentResult,
    IntentStatus,
    Page,
    Refund,
    RefundResult,
    RefundStatus,
)
from sagas.resilience.asking import Asking, error_of, unreadable
from sagas.resilience.http import Answer, HttpClient
from sagas.verdicts import Refused, Unavailable, Unknown

Status = IntentStatus
INTENTS, REFUNDS = "/v1/payment_intents", "/v1/refunds"
STATUSES: Mapping[str, IntentStatus] = {
    "requires_confirmation": Status.UNCONFIRMED,
    "requires_payment_method": Status.UNCONFIRMED,  # declined, when there is a last_payment_error
    "requires_action": Status.REQUIRES_ACTION,
    "processing": Status.PROCESSING,
    "requires_capture": Status.AUTHORIZED,
    "succeeded": Status.CAPTURED,
    "canceled": Status.VOIDED,
}
REFUND_STATUSES: Mapping[str, RefundStatus] = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELLED,
}
#: An act that comes too late: what it may find, and that counts as done.
COUNTS_AS_DONE: Mapping[str, frozenset[IntentStatus]] = {
    "confirm": frozenset({Status.AUTHORIZED, Status.CAPTURED}),
    "capture": frozenset({Status.CAPTURED}),
    "cancel": frozenset({Status.VOIDED}),
}
TOO_LATE: Mapping[IntentStatus, str] = {
    Status.VOIDED: base.ALREADY_VOIDED,
    Status.CAPTURED: base.ALREADY_CAPTURED,
    Status.UNCONFIRMED: base.NOT_AUTHORIZED,
    Status.DECLINED: base.NOT_AUTHORIZED,
}
NOES: Mapping[str, str] = {
    "resource_missing": base.NOT_FOUND,
    "amount_too_large": base.AMOUNT_TOO_LARGE,
    "payment_intent_unexpected_state": base.NOT_CAPTURED,  # of a refund
    "charge_already_refunded": base.REFUND_TOO_LARGE,
}

T = TypeVar("T")


class SandboxGateway:
    """The gateway of the sandbox process; see `PaymentGateway` for its promises."""

    def __init__(self, client: HttpClient, asking: Asking | None = None) -> None:
        self._client = client
        self._asking = asking or Asking("payments")

    def create(self, request: base.CreateIntent) -> IntentResult:
        fields = {
            "amount": request.amount_minor,
            "currency": request.currency.lower(),
            "capture_method": "manual",
            "payment_method": request.payment_method,
            "metadata": {**request.metadata, "reference": request.reference, "key": str(request.key)},
        }
        result = self._act("create", INTENTS, fields, request.key, request.correlation_id)
        if isinstance(result, Intent) and (result.amount_minor, result.currency) != (
            request.amount_minor, request.currency.upper()
        ):  # fmt: skip
            return Unknown(
                "payments.mismatch", f"asked for {request.amount_minor} {request.currency}: {result}"
            )
        return result

    def confirm(self, request: base.ConfirmIntent) -> IntentResult:
        return self._act_on(request.intent_id, "confirm", {}, request.key, request.correlation_id)

    def capture(self, request: base.CaptureIntent) -> IntentResult:
        fields = {"amount_to_capture": request.amount_minor}
        return self._act_on(request.intent_id, "capture", fields, request.key, request.correlation_id)

    def void(self, request: base.VoidIntent) -> IntentResult:
        return self._act_on(request.intent_id, "cancel", {}, request.key, request.correlation_id)

    def refund(self, request: base.RefundIntent) -> RefundResult:
        fields = {
            "payment_intent": request.intent_id,
            "amount": request.amount_minor,
            "metadata": {"reference": request.reference, "key": str(request.key)},
        }
        answer = self._asking.act(
            lambda: self._client.post_form(
                REFUNDS,
                fields,
                operation="refund",
                key=f"{request.key}:refund",
                correlation_id=request.correlation_id,
            )
        )
        if not isinstance(answer, Answer):
            return answer
        refund = self._understood(answer, read_refund)
        if isinstance(refund, Refund) and refund.status in {RefundStatus.FAILED, RefundStatus.CANCELLED}:
            return Refused(base.REFUND_FAILED, refund.failure_code)
        if isinstance(refund, Refused) and refund.code == base.AMOUNT_TOO_LARGE:
            return Refused(base.REFUND_TOO_LARGE, refund.detail)
        return refund

    def retrieve(self, intent_id: str, *, correlation_id: str = "") -> Intent | Refused | Unavailable:
        return self._read_one(f"{INTENTS}/{quote(intent_id, safe='')}", read_intent, correlation_id)

    def retrieve_refund(self, refund_id: str, *, correlation_id: str = "") -> Refund | Refused | Unavailable:
        return self._read_one(f"{REFUNDS}/{quote(refund_id, safe='')}", read_refund, correlation_id)

    def find_by_reference(
        self, reference: str, *, correlation_id: str = ""
    ) -> tuple[Intent, ...] | Unavailable:
        words = reference.replace("\\", "\\\\").replace("'", "\\'")
        query = {"query": f"metadata['reference']:'{words}'", "limit": 100}
        page = self._page(f"{INTENTS}/search", query, read_intent, correlation_id)
        return page.items if isinstance(page, Page) else page

    def refunds_of(self, intent_id: str, *, correlation_id: str = "") -> tuple[Refund, ...] | Unavailable:
        found: list[Refund] = []
        after: str | None = None
        while True:
            query = {"payment_intent": intent_id, "limit": 100, "starting_after": after}
            page = self._page(REFUNDS, query, read_refund, correlation_id)
            if not isinstance(page, Page):
                return page
            found.extend(page.items)
            if page.next is None:
                return tuple(found)
            after = page.next

    def list_intents(self, *, after: str | None = None, limit: int = 100) -> Page[Intent] | Unavailable:
        return self._page(INTENTS, {"limit": limit, "starting_after": after}, read_intent, "")

    def list_refunds(self, *, after: str | None = None, limit: int = 100) -> Page[Refund] | Unavailable:
        return self._page(REFUNDS, {"limit": limit, "starting_after": after}, read_refund, "")

    def _act_on(
        self, intent_id: str, act: str, fields: Mapping[str, Any], key: UUID, correlation_id: str
    ) -> IntentResult:
        return self._act(act, f"{INTENTS}/{quote(intent_id, safe='')}/{act}", fields, key, correlation_id)

    def _act(
        self, act: str, path: str, fields: Mapping[str, Any], key: UUID, correlation_id: str
    ) -> IntentResult:
        answer = self._asking.act(
            lambda: self._client.post_form(
                path, fields, operation=act, key=f"{key}:{act}", correlation_id=correlation_id
            )
        )
        if not isinstance(answer, Answer):
            return answer
        if error_of(answer).get("code") == "payment_intent_unexpected_state":
            return self._too_late(act, answer)
        result = self._understood(answer, read_intent)
        if isinstance(result, Refused) and result.code == base.DECLINED and act == "capture":
            return Refused(base.CAPTURE_FAILED, result.detail)
        return result

    def _too_late(self, act: str, answer: Answer) -> IntentResult:
        """The intent has moved on: what stands there may be just what was wanted."""
        try:
            intent = read_intent(error_of(answer).get("payment_intent"))
        except (KeyError, TypeError, ValueError) as error:
            return unreadable("payments", error)
        if intent.status in COUNTS_AS_DONE.get(act, ()):
            return intent
        if act == "confirm" and intent.status == Status.DECLINED:
            return Refused(base.DECLINED, intent.decline_code)
        return Refused(TOO_LATE.get(intent.status, base.GATEWAY_REFUSED), str(intent.status))

    def _understood(self, answer: Answer, read: Callable[[Any], T]) -> T | Refused | Unknown:
        if not answer.ok:
            return refusal(answer)
        try:
            return read(answer.json)
        except (KeyError, TypeError, ValueError) as error:
            return unreadable("payments", error)

    def _read_one(
        self, path: str, read: Callable[[Any], T], correlation_id: str
    ) -> T | Refused | Unavailable:
        answer = self._asking.read(
            lambda: self._client.get(path, operation="retrieve", correlation_id=correlation_id)
        )
        if not isinstance(answer, Answer):
            return answer
        result = self._understood(answer, read)
        return Unavailable(result.code, result.detail) if isinstance(result, Unknown) else result

    def _page(
        self, path: str, query: Mapping[str, Any], read: Callable[[Any], T], correlation_id: str
    ) -> Page[T] | Unavailable:
        def read_page(body: Any) -> Page[T]:
            items = tuple(read(item) for item in body["data"])
            return Page(items, body["data"][-1]["id"] if body["has_more"] else None)

        answer = self._asking.read(
            lambda: self._client.get(path, operation="list", query=query, correlation_id=correlation_id)
        )
        if not isinstance(answer, Answer):
            return answer
        page = self._understood(answer, read_page)
        return page if isinstance(page, Page) else Unavailable(page.code, page.detail)


def read_intent(body: Any) -> Intent:
    """A PaymentIntent as JSON. Raises KeyError, TypeError or ValueError when it is not one we understand."""
    status = STATUSES.get(body["status"])
    if status is None:
        raise ValueError(f"unknown status {body['status']!r}")
    fault = body.get("last_payment_error") or {}
    if body["status"] == "requires_payment_method" and fault:
        status = IntentStatus.DECLINED
    return Intent(
        id=str(body["id"]), status=status, amount_minor=int(body["amount"]),
        currency=str(body["currency"]).upper(),
        capturable_minor=int(body["amount_capturable"]), captured_minor=int(body["amount_received"]),
        reference=str(body["metadata"].get("reference", "")), key=str(body["metadata"].get("key", "")),
        decline_code=str(fault.get("decline_code") or fault.get("code") or ""),
    )  # fmt: skip


def read_refund(body: Any) -> Refund:
    """A Refund as JSON. Raises KeyError, TypeError or ValueError when it is not one we understand."""
    status = REFUND_STATUSES.get(body["status"])
    if status is None:
        raise ValueError(f"unknown status {body['status']!r}")
    return Refund(
        id=str(body["id"]), status=status, intent_id=str(body["payment_intent"]),
        amount_minor=int(body["amount"]), currency=str(body["currency"]).upper(),
        reference=str(body["metadata"].get("reference", "")),
        key=str(body["metadata"].get("key", "")), failure_code=str(body.get("failure_reason") or ""),
    )  # fmt: skip


def refusal(answer: Answer) -> Refused:
    """A 4xx that decides, in our words."""
    error = error_of(answer)
    code = str(error.get("code", ""))
    if answer.status == 402 or error.get("type") == "card_error":
        return Refused(base.DECLINED, str(error.get("decline_code") or code))
    return Refused(NOES.get(code, base.GATEWAY_REFUSED), code or f"HTTP {answer.status}")
