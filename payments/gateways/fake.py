"""A gateway in memory that keeps the promises of the real one; one conformance suite runs on both."""

# ruff: noqa: ARG002 - a fake has no use for correlation ids

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from payments.gateways import base
from payments.gateways.base import (
    Dispute,
    DisputeReason,
    DisputeStatus,
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
T = TypeVar("T", Intent, Refund, Dispute)


class FakeGateway(FakeProvider):
    """Scripts use the sandbox's words: `fake.script("authorize", "A-1", "decline", code="lost_card")`."""

    def __init__(self) -> None:
        super().__init__("payments")
        self._intents: dict[str, Intent] = {}
        #: How long a hold lasts unless a script says otherwise, `approve` with `life_seconds`; and its clock.
        self.life = timedelta(days=7)
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._refunds: dict[str, Refund] = {}
        self._disputes: dict[str, Dispute] = {}
        self._several: set[str] = set()  #: Intents that may be captured several times.
        self._numbers = count(1)

    def create(self, request: base.CreateIntent) -> IntentResult:
        def do(_: Trouble | None) -> Intent:
            ident = f"pi_{next(self._numbers)}"
            if request.in_shares:
                self._several.add(ident)
            return self._keep(
                Intent(
                    id=ident,
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
            if (code := _no_of_the_bank(trouble, request)) is not None:
                self._keep(replace(intent, status=Status.DECLINED, decline_code=code))
                return Refused(base.DECLINED, code)
            if trouble is not None and trouble.action == "require_action":
                url = f"https://bank.invalid/{intent.id}"
                return self._keep(replace(intent, status=Status.REQUIRES_ACTION, action_url=url))
            if trouble is not None and trouble.action == "single_capture":
                self._several.discard(intent.id)
            self.note(intent.reference, "holds")
            return self._keep(self._held(intent, trouble))

        return self._act_on("authorize", request.intent_id, str(request.key), request.intent_id, move)

    def _held(self, intent: Intent, trouble: Trouble | None = None) -> Intent:
        script = trouble.params if trouble is not None else {}
        life = timedelta(seconds=script["life_seconds"]) if "life_seconds" in script else self.life
        return replace(
            intent, status=Status.AUTHORIZED, capturable_minor=intent.amount_minor, action_url="",
            expires_at=self.clock() + life,
        )  # fmt: skip

    def _as_it_stands(self, intent_id: str) -> Intent | None:
        """An intent, once its hold has come to its end by itself, as at a bank."""
        intent = self._intents.get(intent_id)
        if intent is None or intent.status != Status.AUTHORIZED:
            return intent
        if intent.expires_at is None or self.clock() < intent.expires_at:
            return intent
        ended = Status.CAPTURED if intent.captured_minor else Status.VOIDED  # what was captured of it stays
        return self._keep(replace(intent, status=ended, capturable_minor=0))

    def _all(self) -> list[Intent]:
        return [one for ident in reversed(list(self._intents)) if (one := self._as_it_stands(ident))]

    def customer_acts(self, intent_id: str, *, well: bool = True) -> None:
        """The customer proves who they are, or fails to. Of no effect where nobody waits for them."""
        intent = self._intents[intent_id]
        if intent.status != Status.REQUIRES_ACTION:
            return
        if well:
            self.note(intent.reference, "holds")
            self._keep(self._held(intent))
        else:
            code = "payment_intent_authentication_failure"
            self._keep(replace(intent, action_url="", status=Status.DECLINED, decline_code=code))

    def capture(self, request: base.CaptureIntent) -> IntentResult:
        def move(intent: Intent, trouble: Trouble | None) -> Intent | Refused:
            if intent.status == Status.CAPTURED:
                return intent
            if intent.status != Status.AUTHORIZED:
                late = base.ALREADY_VOIDED if intent.status == Status.VOIDED else base.NOT_AUTHORIZED
                return Refused(late, str(intent.status))
            if request.amount_minor > intent.capturable_minor:
                return Refused(base.AMOUNT_TOO_LARGE, "amount_too_large")
            if not request.final and intent.id not in self._several:
                return Refused(base.ONE_CAPTURE_ONLY, "final_capture")
            if trouble is not None and trouble.action == "decline":
                return Refused(base.CAPTURE_FAILED, trouble.code)
            self.note(intent.reference, "captures")
            left = 0 if request.final else intent.capturable_minor - request.amount_minor
            status = Status.AUTHORIZED if left else Status.CAPTURED
            taken = intent.captured_minor + request.amount_minor
            return self._keep(replace(intent, status=status, capturable_minor=left, captured_minor=taken))

        body = (request.intent_id, request.amount_minor, request.final)
        return self._act_on("capture", request.intent_id, str(request.key), body, move)

    def release(self, request: base.ReleaseRest) -> IntentResult:
        def move(intent: Intent, _: Trouble | None) -> Intent | Refused:
            if intent.status == Status.CAPTURED:
                return intent
            if intent.status == Status.AUTHORIZED and not intent.captured_minor:
                return Refused(base.GATEWAY_REFUSED, "parameter_invalid_integer")
            if intent.status != Status.AUTHORIZED:
                late = base.ALREADY_VOIDED if intent.status == Status.VOIDED else base.NOT_AUTHORIZED
                return Refused(late, str(intent.status))
            self.note(intent.reference, "voids")
            return self._keep(replace(intent, status=Status.CAPTURED, capturable_minor=0))

        return self._act_on("release", request.intent_id, str(request.key), request.intent_id, move)

    def void(self, request: base.VoidIntent) -> IntentResult:
        def move(intent: Intent, _: Trouble | None) -> Intent | Refused:
            if intent.status == Status.VOIDED:
                return intent
            if intent.status == Status.CAPTURED or intent.captured_minor:
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
            if not intent.captured_minor or intent.status not in (Status.CAPTURED, Status.AUTHORIZED):
                return Refused(base.NOT_CAPTURED, str(intent.status))
            if self._bank_is_after(intent):
                return Refused(base.CHARGE_DISPUTED, "charge_disputed")
            if request.amount_minor > self._left(intent):
                return Refused(base.REFUND_TOO_LARGE, "amount_too_large")
            return self._refund(intent, request, trouble)

        body = (request.intent_id, request.amount_minor, request.reference)
        return self.act("refund", request.reference, str(request.key), body, do)

    def retrieve(self, intent_id: str, *, correlation_id: str = "") -> Intent | Refused | Unavailable:
        return self._as_it_stands(intent_id) or Refused(base.NOT_FOUND, "resource_missing")

    def retrieve_refund(self, refund_id: str, *, correlation_id: str = "") -> Refund | Refused | Unavailable:
        return self._refunds.get(refund_id) or Refused(base.NOT_FOUND, "resource_missing")

    def find_by_reference(
        self, reference: str, *, correlation_id: str = ""
    ) -> tuple[Intent, ...] | Unavailable:
        return tuple(one for one in self._all() if one.reference == reference)

    def refunds_of(self, intent_id: str, *, correlation_id: str = "") -> tuple[Refund, ...] | Unavailable:
        return tuple(one for one in reversed(self._refunds.values()) if one.intent_id == intent_id)

    def list_intents(self, *, after: str | None = None, limit: int = 100) -> Page[Intent] | Unavailable:
        return page(self._all(), after, limit)

    def list_refunds(self, *, after: str | None = None, limit: int = 100) -> Page[Refund] | Unavailable:
        return page(list(reversed(self._refunds.values())), after, limit)

    def retrieve_dispute(
        self, dispute_id: str, *, correlation_id: str = ""
    ) -> Dispute | Refused | Unavailable:
        return self._disputes.get(dispute_id) or Refused(base.NOT_FOUND, "resource_missing")

    def list_disputes(self, *, after: str | None = None, limit: int = 100) -> Page[Dispute] | Unavailable:
        return page(list(reversed(self._disputes.values())), after, limit)

    def dispute(self, intent_id: str, ident: str = "", **changes: Any) -> Dispute:
        """The customer's bank wants the money back, all of it and within a week unless told otherwise."""
        intent = self._intents[intent_id]
        dispute = Dispute(
            id=ident or f"dp_{next(self._numbers)}", status=DisputeStatus.NEEDS_RESPONSE, inquiry=False,
            intent_id=intent_id, amount_minor=intent.captured_minor, currency=intent.currency,
            reason=DisputeReason.FRAUD, opened_at=self.clock(), evidence_due_by=self.clock() + timedelta(days=7),
        )  # fmt: skip
        self._disputes[dispute.id] = replace(dispute, **changes)
        return self._disputes[dispute.id]

    def _taken(self, intent: Intent, *statuses: DisputeStatus) -> list[Dispute]:
        """Disputes of an intent with one of these statuses for which money has moved."""
        found = (one for one in self._disputes.values() if one.intent_id == intent.id and not one.inquiry)
        return [one for one in found if one.status in statuses]

    def _bank_is_after(self, intent: Intent) -> bool:
        open_ = self._taken(intent, DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW)
        return bool(open_) or (bool(self._taken(intent, DisputeStatus.LOST)) and not self._left(intent))

    def happen(self, ident: str, **changes: Any) -> None:
        """Let something befall an intent, a refund or a dispute that nobody here asked for, as banks do."""
        if ident in self._intents:
            self._intents[ident] = replace(self._intents[ident], **changes)
        elif ident in self._disputes:
            self._disputes[ident] = replace(self._disputes[ident], **changes)
        else:
            self._refunds[ident] = replace(self._refunds[ident], **changes)

    def _act_on(self, operation: str, intent_id: str, key: str, body: Hashable, move: Move) -> IntentResult:
        found = self._as_it_stands(intent_id)
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
        lost = (one.amount_minor for one in self._taken(intent, DisputeStatus.LOST))
        return intent.captured_minor - sum(gone) - sum(lost)

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


def _no_of_the_bank(trouble: Trouble | None, request: base.ConfirmIntent) -> str | None:
    """Why a bank declines, if it does: also because it wants a customer who is not there."""
    if trouble is not None and trouble.action == "require_action" and request.off_session:
        return base.AUTHENTICATION_REQUIRED
    return trouble.code if trouble is not None and trouble.action == "decline" else None
