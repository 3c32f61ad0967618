"""A gateway in memory that keeps the promises of the real one; one conformance suite runs on both."""

# ruff: noqa: ARG002 - a fake has no use for correlation ids

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

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
from sagas.resilience.fakes import FakeProvider, Trouble
from sagas.verdicts import Refused, Unavailable

Status = IntentStatus
Move = Callable[[Intent, Trouble | None], Intent | Refused]
T = TypeVar("T", Intent, Refund)


class FakeGateway(FakeProvider):
    """Scripts use the sandbox's words: `fake.script("authorize", "A-1", "decline", code="lost_card")`."""

    def __init__(self) -> None:
        super().__init__("payments")
        self._intents: dict[str, Intent] = {}
        self._refunds: dict[str, Refund] = {}
        self._numbers = count(1)

    def create(self, request: base.CreateIntent) -> IntentResult:
        def do(_: Trouble | None) -> Intent:
            return self._keep(
                Intent(
                    id=f"pi_{next(self._numbers)}",
                    status=Status.UNCONFIRMED,
                    amount_minor=request.amount_minor,
                    currency=request.currency.upper(),
                    capturable_minor=0,
                    captured_minor=0,
                    reference=request.reference,
                    key=str(request.key),
                )
            )

        body = (request.reference, request.amount_minor, request.currency, request.payment_method)
        return self.act("create", request.reference, str(request.key), body, do)

    def confirm(self, request: base.ConfirmIntent) -> IntentResult:
        def move(intent: Intent, trouble: Trouble | None) -> Intent | Refused:
            if intent.status in {Status.AUTHORIZED, Status.CAPTURED, Status.REQUIRES_ACTION}:
                return intent
            if intent.status == Status.DECLINED:
                return Refused(base.DECLINED, intent.decline_code)
            if intent.status == Status.VOIDED:
                return Refused(base.ALREADY_VOIDED, str(intent.status))
            if trouble is not None and trouble.action == "decline":
                self._keep(replace(intent, status=Status.DECLINED, decline_code=trouble.code))
                return Refused(base.DECLINED, trouble.code)
            if trouble is not None and trouble.action == "require_action":
                url = f"https://bank.invalid/{intent.id}"
                return self._keep(replace(intent, status=Status.REQUIRES_ACTION, action_url=url))
            self.note(intent.reference, "holds")
            return self._keep(replace(intent, status=Status.AUTHORIZED, capturable_minor=intent.amount_minor))

        return self._act_on("authorize", request.intent_id, str(request.key), request.intent_id, move)

    def customer_acts(self, intent_id: str, *, well: bool = True) -> None:
        """The customer proves who they are, or fails to. Of no effect where nobody waits for them."""
        intent = self._intents[intent_id]
        if intent.status != Status.REQUIRES_ACTION:
            return
        if well:
            self.note(intent.reference, "holds")
            held = {"status": Status.AUTHORIZED, "capturable_minor": intent.amount_minor}
        else:
            held = {"status": Status.DECLINED, "decline_code": "payment_intent_authentication_failure"}
        self._keep(replace(intent, action_url="", **held))  # type: ignore[arg-type]

    def capture(self, request: base.CaptureIntent) -> IntentResult:
        def move(intent: Intent, trouble: Trouble | None) -> Intent | Refused:
            if intent.status == Status.CAPTURED:
                return intent
            if intent.status != Status.AUTHORIZED:
                late = base.ALREADY_VOIDED if intent.status == Status.VOIDED else base.NOT_AUTHORIZED
                return Refused(late, str(intent.status))
            if request.amount_minor > intent.capturable_minor:
                return Refused(base.AMOUNT_TOO_LARGE, "amount_too_large")
            if trouble is not None and trouble.action == "decline":
                return Refused(base.CAPTURE_FAILED, trouble.code)
            self.note(intent.reference, "captures")
            return self._keep(
                replace(
                    intent, status=Status.CAPTURED, capturable_minor=0, captured_minor=request.amount_minor
                )
            )

        body = (request.intent_id, request.amount_minor)
        return self._act_on("capture", request.intent_id, str(request.key), body, move)

    def void(self, request: base.VoidIntent) -> IntentResult:
        def move(intent: Intent, _: Trouble | None) -> Intent | Refused:
            if intent.status == Status.VOIDED:
                return intent
            if intent.status == Status.CAPTURED:
                return Refused(base.ALREADY_CAPTURED, str(intent.status))
            if intent.status == Status.AUTHORIZED:
                self.note(intent.reference, "voids")
            return self._keep(replace(intent, status=Status.VOIDED, capturable_minor=0))

        return self._act_on("void", request.intent_id, str(request.key), request.intent_id, move)

    def refund(self, request: base.RefundIntent) -> RefundResult:
        def do(trouble: Trouble | None) -> Refund | Refused:
            intent = self._intents.get(request.intent_id)
            if intent is None:
                return Refused(base.NOT_FOUND, "resource_missing")
            if intent.status != Status.CAPTURED:
                return Refused(base.NOT_CAPTURED, str(intent.status))
            if request.amount_minor > self._left(intent):
                return Refused(base.REFUND_TOO_LARGE, "amount_too_large")
            return self._refund(intent, request, trouble)

        body = (request.intent_id, request.amount_minor, request.reference)
        return self.act("refund", request.reference, str(request.key), body, do)

    def retrieve(self, intent_id: str, *, correlation_id: str = "") -> Intent | Refused | Unavailable:
        return self._intents.get(intent_id) or Refused(base.NOT_FOUND, "resource_missing")

    def retrieve_refund(self, refund_id: str, *, correlation_id: str = "") -> Refund | Refused | Unavailable:
        return self._refunds.get(refund_id) or Refused(base.NOT_FOUND, "resource_missing")

    def find_by_reference(
        self, reference: str, *, correlation_id: str = ""
    ) -> tuple[Intent, ...] | Unavailable:
        return tuple(one for one in reversed(self._intents.values()) if one.reference == reference)

    def refunds_of(self, intent_id: str, *, correlation_id: str = "") -> tuple[Refund, ...] | Unavailable:
        return tuple(one for one in reversed(self._refunds.values()) if one.intent_id == intent_id)

    def list_intents(self, *, after: str | None = None, limit: int = 100) -> Page[Intent] | Unavailable:
        return page(list(reversed(self._intents.values())), after, limit)

    def list_refunds(self, *, after: str | None = None, limit: int = 100) -> Page[Refund] | Unavailable:
        return page(list(reversed(self._refunds.values())), after, limit)

    def happen(self, ident: str, **changes: Any) -> None:
        """Let something befall an intent or a refund that nobody here asked for, as banks do."""
        if ident in self._intents:
            self._intents[ident] = replace(self._intents[ident], **changes)
        else:
            self._refunds[ident] = replace(self._refunds[ident], **changes)

    def _act_on(self, operation: str, intent_id: str, key: str, body: Hashable, move: Move) -> IntentResult:
        found = self._intents.get(intent_id)
        if found is None:
            return Refused(base.NOT_FOUND, "resource_missing")
        return self.act(
            operation, found.reference, key, body, lambda trouble: move(self._intents[intent_id], trouble)
        )

    def _keep(self, intent: Intent) -> Intent:
        self._intents[intent.id] = intent
        return intent

    def _left(self, intent: Intent) -> int:
        gone = (one.amount_minor for one in self._refunds.values()
                if one.intent_id == intent.id and one.status == RefundStatus.SUCCEEDED)  # fmt: skip
        return intent.captured_minor - sum(gone)

    def _refund(
        self, intent: Intent, request: base.RefundIntent, trouble: Trouble | None
    ) -> Refund | Refused:
        failed = trouble is not None and trouble.action == "decline"
        refund = Refund(
            id=f"re_{next(self._numbers)}",
            status=RefundStatus.FAILED if failed else RefundStatus.SUCCEEDED,
            intent_id=intent.id,
            amount_minor=request.amount_minor,
            currency=intent.currency,
            reference=request.reference,
            key=str(request.key),
            failure_code=trouble.code if failed and trouble else "",
        )
        self._refunds[refund.id] = refund
        if failed:
            return Refused(base.REFUND_FAILED, refund.failure_code)
        self.note(intent.reference, "refunds")
        return refund

    def refusal(self, trouble: Trouble) -> Refused:
        return Refused(base.GATEWAY_REFUSED, trouble.code)


def page(items: list[T], after: str | None, limit: int) -> Page[T]:
    """One page of a list that is newest first."""
    ids = [one.id for one in items]
    begin = ids.index(after) + 1 if after is not None else 0
    chosen = items[begin : begin + limit]
    return Page(tuple(chosen), chosen[-1].id if begin + limit < len(items) else None)
