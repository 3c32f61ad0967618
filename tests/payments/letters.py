"""Events as a gateway sends them, in Stripe's wire format, taken in by the inbox as at its door."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.conf import settings

from payments.gateways.base import Dispute, Intent, IntentStatus, Refund, RefundStatus
from payments.gateways.fake import FakeGateway
from payments.tasks import READ_INBOX, SIGNATURE
from sagas.inbox import work
from sagas.inbox.receive import receive
from sagas.inbox.rows import IncomingWebhook
from sagas.inbox.signing import signature
from sagas.inbox.sources import find_source

NUMBERS = count(1)
SECRET = "whsec_of_the_tests"
WORDS = {
    IntentStatus.UNCONFIRMED: "requires_confirmation",
    IntentStatus.REQUIRES_ACTION: "requires_action",
    IntentStatus.PROCESSING: "processing",
    IntentStatus.AUTHORIZED: "requires_capture",
    IntentStatus.CAPTURED: "succeeded",
    IntentStatus.VOIDED: "canceled",
    IntentStatus.DECLINED: "requires_payment_method",
}
REFUND_WORDS = {RefundStatus.CANCELLED: "canceled"}


def about_intent(intent: Intent, **changes: Any) -> dict[str, Any]:
    """An intent as an event holds it."""
    fault = {"type": "card_error", "decline_code": intent.decline_code}
    return {
        "id": intent.id, "object": "payment_intent", "status": WORDS[intent.status],
        "amount": intent.amount_minor, "currency": intent.currency.lower(),
        "amount_capturable": intent.capturable_minor, "amount_received": intent.captured_minor,
        "last_payment_error": fault if intent.status == IntentStatus.DECLINED else None,
        "metadata": {"reference": intent.reference, "key": intent.key}, **changes,
    }  # fmt: skip


def about_refund(refund: Refund, **changes: Any) -> dict[str, Any]:
    """A refund as an event holds it."""
    return {
        "id": refund.id, "object": "refund", "status": REFUND_WORDS.get(refund.status, str(refund.status)),
        "amount": refund.amount_minor, "currency": refund.currency.lower(), "payment_intent": refund.intent_id,
        "metadata": {"reference": refund.reference, "key": refund.key}, **changes,
    }  # fmt: skip


def about_dispute(dispute: Dispute, **changes: Any) -> dict[str, Any]:
    """A dispute as an event holds it."""
    word = f"warning_{dispute.status}" if dispute.inquiry else str(dispute.status)
    due = dispute.evidence_due_by
    return {
        "id": dispute.id, "object": "dispute", "status": word, "amount": dispute.amount_minor,
        "currency": dispute.currency.lower(), "payment_intent": dispute.intent_id, "reason": "fraudulent",
        "evidence_details": {"due_by": int(due.timestamp()) if due else None}, **changes,
    }  # fmt: skip


class Postman:
    """Brings what a fake gateway would send, and has it read."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway

    def tell(
        self,
        said: dict[str, Any],
        *,
        kind: str = "payment_intent.succeeded",
        ident: str = "",
        source: str = "payments.sandbox",
    ) -> str:
        """Bring one event; its id."""
        event_id = ident or f"evt_{next(NUMBERS)}"
        event = {
            "id": event_id,
            "object": "event",
            "type": kind,
            "created": 1_767_600_000,
            "data": {"object": said},
        }
        text = json.dumps(event).encode()
        now = datetime.now(UTC)
        stamp = str(int(now.timestamp()))
        header = f"t={stamp},v1={signature(SECRET, stamp, text).decode()}"
        found = find_source(source)
        assert found is not None
        receive(found, text, {SIGNATURE: header}, now=now)
        return event_id

    def tell_of(self, intent_id: str, **changes: Any) -> str:
        """Bring what the gateway has of an intent, or the lie that is told in its place."""
        found = self.gateway.retrieve(intent_id)
        assert isinstance(found, Intent)
        return self.tell(about_intent(found, **changes))

    def tell_of_refund(self, refund_id: str, **changes: Any) -> str:
        """The same of a refund."""
        found = self.gateway.retrieve_refund(refund_id)
        assert isinstance(found, Refund)
        return self.tell(about_refund(found, **changes), kind="refund.updated")

    def tell_of_dispute(self, dispute_id: str, *, kind: str = "updated", **changes: Any) -> str:
        """The same of a dispute, as it stands at the gateway unless a lie is told."""
        found = self.gateway.retrieve_dispute(dispute_id)
        assert isinstance(found, Dispute)
        return self.tell(about_dispute(found, **changes), kind=f"charge.dispute.{kind}")

    def read(self) -> None:
        """Have what came read, as far as it is due."""
        work.read(READ_INBOX)

    def fate(self, event_id: str) -> str:
        """What became of an event."""
        row = IncomingWebhook.objects.get(event_id=event_id)
        return f"{row.state}: {row.code}"


def with_the_secret(settings_: Any) -> None:
    """Let the settings know the secret these events are signed with."""
    settings_.WAYBILL = replace(settings.WAYBILL, payment_webhook_secrets=(SECRET,))
