"""Is it news? What a gateway claims, compared with our rows. Pure: it decides whether to ask, never what is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from payments.gateways.base import IntentStatus, RefundStatus
from payments.gateways.events import Claim
from payments.models import Payment, Refund

State = Payment.State

#: Where a payment may stand when the claim is old: it says no more than we knew before.
HELD_BEFORE = {
    State.AUTHORIZED, State.CAPTURING, State.CAPTURED, State.CAPTURE_FAILED, State.VOIDING, State.EXPIRED,
}  # fmt: skip
NOT_HELD = {State.VOIDED, State.EXPIRED, State.DECLINED}


@dataclass(frozen=True)
class PaymentAsItStands:
    """A payment of ours, as far as news are compared with it."""

    id: UUID
    saga_id: UUID
    provider_id: str
    state: str
    unknown_of: str
    amount_minor: int
    currency: str
    authorized_minor: int
    captured_minor: int
    reversed_minor: int
    version: int

    @property
    def place(self) -> tuple[str, int]:
        """Where it stands: a row that has moved since then stands elsewhere."""
        return self.state, self.version


@dataclass(frozen=True)
class RefundAsItStands:
    """A refund of ours. `provider_id` is empty until it is known to have gone back."""

    id: UUID
    saga_id: UUID
    payment_id: UUID
    provider_id: str
    reference: str
    state: str
    amount_minor: int


@dataclass(frozen=True)
class Found:
    """What our rows have of a batch of claims: payments by the gateway's id, refunds by our payment's."""

    payments: Mapping[str, PaymentAsItStands]
    refunds: Mapping[UUID, Sequence[RefundAsItStands]]


def is_known(found: Found, payment: PaymentAsItStands, claim: Claim) -> bool:
    """Whether our row stands where the claim says, or further. What differs in amount or currency is never known."""
    if claim.kind == "refund":
        refund = refund_meant(found, claim)
        return refund is not None and _refund_is_known(refund, claim)
    if claim.kind == "dispute":
        return False
    if (claim.amount_minor, claim.currency) != (payment.amount_minor, payment.currency):
        return False
    return _payment_is_known(payment, claim)


def _payment_is_known(payment: PaymentAsItStands, claim: Claim) -> bool:  # noqa: PLR0911 - one per status
    match claim.status:
        case IntentStatus.UNCONFIRMED:
            return True  # it was made, and nothing else: we made it
        case IntentStatus.REQUIRES_ACTION | IntentStatus.PROCESSING:
            return payment.state in HELD_BEFORE | NOT_HELD | {State.REQUIRES_ACTION}
        case IntentStatus.AUTHORIZED:
            return payment.state in HELD_BEFORE or payment.authorized_minor > 0
        case IntentStatus.CAPTURED:
            taken = payment.captured_minor == claim.captured_minor
            return payment.state == State.CAPTURED and taken and not payment.reversed_minor
        case IntentStatus.VOIDED:
            return payment.state in NOT_HELD
        case IntentStatus.DECLINED:
            return payment.state in NOT_HELD or payment.reversed_minor > 0
        case _:
            return False


def refund_meant(found: Found, claim: Claim) -> RefundAsItStands | None:
    """The refund of ours that a claim is about: by the gateway's id, else one without an id by our reference."""
    payment = found.payments.get(claim.intent_id)
    if payment is None or claim.kind != "refund":
        return None
    refunds = found.refunds.get(payment.id, ())
    by_id = next((r for r in refunds if r.provider_id == claim.object_id), None)
    unnamed = (r for r in refunds if not r.provider_id and r.reference == claim.reference)
    return by_id or next(unnamed, None)


def _refund_is_known(refund: RefundAsItStands, claim: Claim) -> bool:
    failed = claim.status in (RefundStatus.FAILED, RefundStatus.CANCELLED)
    if refund.state == Refund.State.SUCCEEDED:
        gone = claim.status in (RefundStatus.SUCCEEDED, RefundStatus.PENDING)
        return gone and claim.amount_minor == refund.amount_minor
    return refund.state in (Refund.State.FAILED, Refund.State.REPAID) and failed
