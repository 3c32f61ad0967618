"""Disputes in Stripe's wire format, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from payments.gateways.base import Dispute, DisputeReason, DisputeStatus

#: An inquiry begins with this: the bank only asks.
INQUIRY = "warning_"
STATUSES: Mapping[str, DisputeStatus] = {
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    "closed": DisputeStatus.WON,  # of an inquiry: it came to nothing
}
#: Ended before any money moved: to us an inquiry that came to nothing.
PREVENTED = "prevented"
REASONS: Mapping[str, DisputeReason] = {
    "fraudulent": DisputeReason.FRAUD,
    "unrecognized": DisputeReason.FRAUD,
    "debit_not_authorized": DisputeReason.FRAUD,
    "product_not_received": DisputeReason.NOT_RECEIVED,
    "product_unacceptable": DisputeReason.NOT_AS_DESCRIBED,
    "credit_not_processed": DisputeReason.REFUND_MISSING,
    "duplicate": DisputeReason.DUPLICATE,
    "subscription_canceled": DisputeReason.CANCELLED,
}


def read_dispute(body: Any) -> Dispute:
    """A Dispute as JSON. Raises KeyError, TypeError or ValueError when it is not one we understand."""
    status, inquiry = read_status(str(body["status"]))
    fee, fee_currency = fee_in(body.get("balance_transactions"))
    due = (body.get("evidence_details") or {}).get("due_by")
    return Dispute(
        id=str(body["id"]), status=status, inquiry=inquiry, intent_id=intent_in(body["payment_intent"]),
        amount_minor=int(body["amount"]), currency=str(body["currency"]).upper(),
        reason=REASONS.get(str(body.get("reason")), DisputeReason.OTHER),
        opened_at=datetime.fromtimestamp(body["created"], UTC),
        evidence_due_by=datetime.fromtimestamp(due, UTC) if due else None,
        fee_minor=fee, fee_currency=fee_currency,
    )  # fmt: skip


def read_status(word: str) -> tuple[DisputeStatus, bool]:
    """A vendor's word as a status, and whether it is one of an inquiry. Raises ValueError for a word we do not know."""
    if word == PREVENTED:
        return DisputeStatus.WON, True
    inquiry = word.startswith(INQUIRY)
    status = STATUSES.get(word.removeprefix(INQUIRY))
    if status is None or (inquiry and status == DisputeStatus.LOST) or word == "closed":
        raise ValueError(f"unknown status {word!r}")
    return status, inquiry


def intent_in(value: Any) -> str:
    """The id of the intent, which may be sent whole in its place. Empty for a charge without one."""
    return str(value["id"] if isinstance(value, dict) else value or "")


def fee_in(movements: Any) -> tuple[int, str]:
    """What the vendor charges for the dispute so far, over its movements on our balance, which are in one currency."""
    told = [one for one in movements or () if isinstance(one, dict)]
    total = sum(int(one.get("fee", 0)) for one in told)
    return (total, str(told[0]["currency"]).upper()) if total else (0, "")
