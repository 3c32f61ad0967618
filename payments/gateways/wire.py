"""Stripe's wire format: what its objects, its errors and its "too late" mean in our words.

Every gateway that speaks it is a `WireGateway`; it only says how a request gets there. A request is known by
what it does (`create`, `confirm`, `capture`, `release`, `cancel`, `refund`) or looks at, never by its address.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from payments.gateways import base
from payments.gateways.base import (
    Dispute,
    Intent,
    IntentResult,
    IntentStatus,
    Page,
    Refund,
    RefundResult,
    RefundStatus,
)
from payments.gateways.dispute_wire import read_dispute
from sagas.resilience.asking import Asking, KeyReused, error_of, unreadable
from sagas.resilience.http import Answer
from sagas.verdicts import Refused, Unavailable, Unknown

Act = Literal["create", "confirm", "capture", "release", "cancel", "refund"]
Look = Literal["intent", "refund", "dispute", "search", "intents", "refunds", "disputes"]
Fields = Mapping[str, Any]
Status = IntentStatus
#: The most that one page of a listing holds.
MOST_LISTED = 100
#: The hold is to be captured several times, if card and contract allow it.
SEVERAL_CAPTURES: Fields = {"payment_method_options": {"card": {"request_multicapture": "if_available"}}}
#: The capture of nothing that ends a hold of which part was captured.
NOTHING_MORE: Fields = {"amount_to_capture": 0, "final_capture": True}
#: Until when a hold can be captured is told by its charge, which is sent along only to those who ask.
WITH_CHARGE: Fields = {"expand": ["latest_charge"]}
#: Somebody whom the provider depends on failed. It is numbered like a refusal, and yet is no answer to what we asked.
BEHIND_IT_FAILED = 424
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
    "release": frozenset({Status.CAPTURED}),
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
    "charge_disputed": base.CHARGE_DISPUTED,
    "charge_already_captured": base.ALREADY_CAPTURED,
    "charge_expired_for_capture": base.CAPTURE_FAILED,
    "capture_charge_authorization_expired": base.CAPTURE_FAILED,
}

T = TypeVar("T")


class WireGateway(ABC):
    """A gateway in Stripe's wire format; see `PaymentGateway` for its promises."""

    def __init__(self, asking: Asking | None = None) -> None:
        self._asking = asking or Asking("payments")

    @abstractmethod
    def post(self, act: Act, ident: str, fields: Fields, *, key: str, correlation_id: str) -> Answer:
        """Carry an act there, on the intent `ident` if there is one. Raises NotSent, OutcomeUnknown."""

    @abstractmethod
    def get(self, look: Look, ident: str, query: Fields, *, correlation_id: str) -> Answer:
        """Read one object by its id, or a page of many by a query. Raises NotSent, OutcomeUnknown."""

    def create(self, request: base.CreateIntent) -> IntentResult:
        fields = {
            "amount": request.amount_minor,
            "currency": request.currency.lower(),
            "capture_method": "manual",
            "payment_method": request.payment_method,
            "metadata": {**request.metadata, "reference": request.reference, "key": str(request.key)},
            **(SEVERAL_CAPTURES if request.in_shares else {}),
        }
        result = self._act("create", "", fields, request.key, request.correlation_id)
        if isinstance(result, Intent) and (result.amount_minor, result.currency) != (
            request.amount_minor, request.currency.upper()
        ):  # fmt: skip
            return Unknown(
                "payments.mismatch", f"asked for {request.amount_minor} {request.currency}: {result}"
            )
        return result

    def confirm(self, request: base.ConfirmIntent) -> IntentResult:
        fields: dict[str, Any] = {"return_url": request.return_url} if request.return_url else {}
        if request.off_session:
            fields |= {"off_session": True, **WITH_CHARGE}
        return self._act("confirm", request.intent_id, fields, request.key, request.correlation_id)

    def capture(self, request: base.CaptureIntent) -> IntentResult:
        fields: dict[str, Any] = {"amount_to_capture": request.amount_minor}
        if not request.final:
            fields["final_capture"] = False
        return self._act("capture", request.intent_id, fields, request.key, request.correlation_id)

    def release(self, request: base.ReleaseRest) -> IntentResult:
        return self._act("release", request.intent_id, NOTHING_MORE, request.key, request.correlation_id)

    def void(self, request: base.VoidIntent) -> IntentResult:
        return self._act("cancel", request.intent_id, {}, request.key, request.correlation_id)

    def refund(self, request: base.RefundIntent) -> RefundResult:
        fields = {
            "payment_intent": request.intent_id,
            "amount": request.amount_minor,
            "metadata": {"reference": request.reference, "key": str(request.key)},
        }
        answer = self._asked("refund", "", fields, request.key, request.correlation_id)
        if not isinstance(answer, Answer):
            return answer
        refund = _understood(answer, read_refund)
        if isinstance(refund, Refund) and refund.status in {RefundStatus.FAILED, RefundStatus.CANCELLED}:
            return Refused(base.REFUND_FAILED, refund.failure_code)
        if isinstance(refund, Refused) and refund.code == base.AMOUNT_TOO_LARGE:
            return Refused(base.REFUND_TOO_LARGE, refund.detail)
        return refund

    def retrieve(self, intent_id: str, *, correlation_id: str = "") -> Intent | Refused | Unavailable:
        return self._read_one("intent", intent_id, read_intent, correlation_id, WITH_CHARGE)

    def retrieve_refund(self, refund_id: str, *, correlation_id: str = "") -> Refund | Refused | Unavailable:
        return self._read_one("refund", refund_id, read_refund, correlation_id)

    def find_by_reference(
        self, reference: str, *, correlation_id: str = ""
    ) -> tuple[Intent, ...] | Unavailable:
        words = reference.replace("\\", "\\\\").replace("'", "\\'")
        query = {"query": f"metadata['reference']:'{words}'"}
        return self._all("search", query, read_intent, correlation_id)

    def refunds_of(self, intent_id: str, *, correlation_id: str = "") -> tuple[Refund, ...] | Unavailable:
        return self._all("refunds", {"payment_intent": intent_id}, read_refund, correlation_id)

    def list_intents(
        self, *, after: str | None = None, limit: int = MOST_LISTED
    ) -> Page[Intent] | Unavailable:
        return self._page("intents", {"limit": limit, "starting_after": after}, read_intent, "")

    def list_refunds(
        self, *, after: str | None = None, limit: int = MOST_LISTED
    ) -> Page[Refund] | Unavailable:
        return self._page("refunds", {"limit": limit, "starting_after": after}, read_refund, "")

    def retrieve_dispute(
        self, dispute_id: str, *, correlation_id: str = ""
    ) -> Dispute | Refused | Unavailable:
        return self._read_one("dispute", dispute_id, read_dispute, correlation_id)

    def list_disputes(
        self, *, after: str | None = None, limit: int = MOST_LISTED
    ) -> Page[Dispute] | Unavailable:
        return self._page("disputes", {"limit": limit, "starting_after": after}, read_dispute, "")

    def _act(self, act: Act, ident: str, fields: Fields, key: UUID, correlation_id: str) -> IntentResult:
        answer = self._asked(act, ident, fields, key, correlation_id)
        if not isinstance(answer, Answer):
            return answer
        if error_of(answer).get("code") == "payment_intent_unexpected_state":
            return too_late(act, answer)
        result = _understood(answer, read_intent)
        if isinstance(result, Refused) and result.code == base.DECLINED and act == "capture":
            return Refused(base.CAPTURE_FAILED, result.detail)
        return result

    def _asked(
        self, act: Act, ident: str, fields: Fields, key: UUID, correlation_id: str
    ) -> Answer | Unavailable | Unknown:
        """Raises KeyReused. Of the two idempotency errors one is a bug, the other only wants patience."""
        answer = self._asking.act(
            lambda: self.post(act, ident, fields, key=f"{key}:{act}", correlation_id=correlation_id)
        )
        if not isinstance(answer, Answer):
            return answer
        if answer.status == 409:
            return Unavailable("payments.key_in_use", "HTTP 409")
        if error_of(answer).get("type") == "idempotency_error":
            raise KeyReused(f"payments: {error_of(answer).get('message', act)}")
        return answer

    def _read_one(
        self,
        look: Look,
        ident: str,
        read: Callable[[Any], T],
        correlation_id: str,
        query: Fields | None = None,
    ) -> T | Refused | Unavailable:
        answer = self._asking.read(lambda: self.get(look, ident, query or {}, correlation_id=correlation_id))
        if not isinstance(answer, Answer):
            return answer
        result = _understood(answer, read)
        return Unavailable(result.code, result.detail) if isinstance(result, Unknown) else result

    def _all(
        self, look: Look, query: Fields, read: Callable[[Any], T], correlation_id: str
    ) -> tuple[T, ...] | Unavailable:
        """Every item there is, page by page: a search goes on by a token, a list after its last id."""
        goes_on_by = "page" if look == "search" else "starting_after"
        found: list[T] = []
        after: str | None = None
        while True:
            asked = {**query, "limit": MOST_LISTED, goes_on_by: after}
            page = self._page(look, asked, read, correlation_id)
            if not isinstance(page, Page):
                return page
            found.extend(page.items)
            if page.next is None:
                return tuple(found)
            if page.next == after:
                return Unavailable("payments.mismatch", f"the listing does not go on after {after}")
            after = page.next

    def _page(
        self, look: Look, query: Fields, read: Callable[[Any], T], correlation_id: str
    ) -> Page[T] | Unavailable:
        asked = {name: value for name, value in query.items() if value is not None}
        answer = self._asking.read(lambda: self.get(look, "", asked, correlation_id=correlation_id))
        if not isinstance(answer, Answer):
            return answer
        page = _understood(answer, lambda body: read_page(body, read))
        return page if isinstance(page, Page) else Unavailable(page.code, page.detail)


def _understood(answer: Answer, read: Callable[[Any], T]) -> T | Refused | Unknown:
    if answer.status == BEHIND_IT_FAILED:
        return Unknown("payments.provider_failed", str(answer.status))
    if not answer.ok:
        return refusal(answer)
    try:
        return read(answer.json)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return unreadable("payments", error)


def too_late(act: Act, answer: Answer) -> IntentResult:
    """The intent has moved on: what stands there may be just what was wanted."""
    try:
        intent = read_intent(error_of(answer).get("payment_intent"))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return unreadable("payments", error)
    if intent.status in COUNTS_AS_DONE.get(act, ()):
        return intent
    if act == "confirm" and intent.status == Status.DECLINED:
        return Refused(base.DECLINED, intent.decline_code)
    if act == "cancel" and intent.captured_minor:
        return Refused(base.ALREADY_CAPTURED, str(intent.status))
    return Refused(TOO_LATE.get(intent.status, base.GATEWAY_REFUSED), str(intent.status))


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
        action_url=action_in(body.get("next_action")), expires_at=expiry_in(body.get("latest_charge")),
    )  # fmt: skip


def action_in(action: Any) -> str:
    """Where the customer acts. Empty when they have nothing to do, or not by following a link."""
    told = action.get("redirect_to_url") if isinstance(action, dict) else None
    return str(told.get("url") or "") if isinstance(told, dict) else ""


def expiry_in(charge: Any) -> datetime | None:
    """Until when a hold can be captured, by its charge. None when the charge was not sent along, or does not say."""
    found = charge
    for name in ("payment_method_details", "card", "capture_before"):
        found = found.get(name) if isinstance(found, dict) else None
    return datetime.fromtimestamp(found, UTC) if isinstance(found, int) else None


def read_refund(body: Any) -> Refund:
    """A Refund as JSON. Raises KeyError, TypeError or ValueError when it is not one we understand."""
    status = REFUND_STATUSES.get(body["status"])
    if status is None:
        raise ValueError(f"unknown status {body['status']!r}")
    metadata = body["metadata"] or {}
    return Refund(
        id=str(body["id"]), status=status, intent_id=str(body["payment_intent"] or ""),
        amount_minor=int(body["amount"]), currency=str(body["currency"]).upper(),
        reference=str(metadata.get("reference", "")),
        key=str(metadata.get("key", "")), failure_code=str(body.get("failure_reason") or ""),
    )  # fmt: skip


def read_page(body: Any, read: Callable[[Any], T]) -> Page[T]:
    """A `list` or a `search_result` as JSON. Raises what `read` raises."""
    items = tuple(read(item) for item in body["data"])
    if not body["has_more"]:
        return Page(items, None)
    return Page(
        items, str(body["next_page"] if body["object"] == "search_result" else body["data"][-1]["id"])
    )


def refusal(answer: Answer) -> Refused:
    """A 4xx that decides, in our words."""
    error = error_of(answer)
    code = str(error.get("code") or "")
    if error.get("param") == "final_capture":
        return Refused(base.ONE_CAPTURE_ONLY, code or "final_capture")
    if answer.status == 402 or error.get("type") == "card_error":
        return Refused(base.DECLINED, str(error.get("decline_code") or code))
    return Refused(NOES.get(code, base.GATEWAY_REFUSED), code or f"HTTP {answer.status}")
