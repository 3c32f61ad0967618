"""What gateways tell without being asked, in Stripe's wire format: the sandbox sends the same.

Nothing here is the truth. It says which object to look at, and what the sender claims of it, so that what we know
already need not be asked for. A word we do not know is no error: the object is asked for, and that decides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from payments.gateways.base import IntentStatus, RefundStatus
from payments.gateways.wire import REFUND_STATUSES, STATUSES
from sagas.inbox.sources import Notice, Unreadable, event_in

Kind = Literal["payment", "refund", "dispute", "other"]
KINDS: dict[str, Kind] = {"payment_intent": "payment", "refund": "refund", "dispute": "dispute"}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What an event claims. `status` is None for a word we do not know, amounts for what is no amount."""

    kind: Kind
    object_id: str
    intent_id: str
    status: IntentStatus | RefundStatus | str | None
    amount_minor: int | None
    captured_minor: int | None
    currency: str
    reference: str = ""


def read_notice(body: bytes) -> Notice:
    """What is stored of an event. Raises Unreadable when it is none."""
    event = event_in(body)
    said = event["data"]["object"]
    digest = sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    claim = _claim(said)
    return Notice(
        event_id=_text(event.get("id")), type=_text(event.get("type")),
        object_id=claim.intent_id or claim.object_id, meaning=f"{_text(event.get('type'))} {digest}",
        occurred_at=_moment(event.get("created")),
    )  # fmt: skip


def read_claim(body: bytes) -> Claim:
    """What a stored event claims. Raises Unreadable as `read_notice` does."""
    return _claim(event_in(body)["data"]["object"])


def _claim(said: dict[str, Any]) -> Claim:
    kind = KINDS.get(_text(said.get("object")), "other")
    ident = _text(said.get("id"))
    metadata = said.get("metadata") if isinstance(said.get("metadata"), dict) else {}
    return Claim(
        kind=kind, object_id=ident,
        intent_id=ident if kind == "payment" else _reference(said.get("payment_intent")),
        status=_status(kind, said), amount_minor=_amount(said.get("amount")),
        captured_minor=_amount(said.get("amount_received")),
        currency=_text(said.get("currency")).upper(), reference=_text((metadata or {}).get("reference")),
    )  # fmt: skip


def _status(kind: Kind, said: dict[str, Any]) -> IntentStatus | RefundStatus | str | None:
    word = _text(said.get("status"))
    if kind == "refund":
        return REFUND_STATUSES.get(word)
    if kind == "payment" and word == "requires_payment_method" and said.get("last_payment_error"):
        return IntentStatus.DECLINED
    return STATUSES.get(word) if kind == "payment" else word


def _reference(value: Any) -> str:
    """The id of another object, which may be sent whole in its place."""
    return _text(value.get("id")) if isinstance(value, dict) else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _amount(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(value: Any) -> datetime:
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise Unreadable("the event does not say when it happened") from None
