"""Payments promises: money is captured at most once per order, and never more goes back than came in.

Amounts are integers in the minor unit of `currency`. Events of one payment are in the stream of its
`payment_id`; `CustomerCredited` is alone in the stream of its ledger entry, `CaseResolved` in that of its case.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sagas.events import Event, register_event, upcaster

AUTHORIZE_PAYMENT = "payments.authorize_payment"
VOID_AUTHORIZATION = "payments.void_authorization"
CAPTURE_PAYMENT = "payments.capture_payment"
CAPTURE_SHARE = "payments.capture_share"
RELEASE_REST = "payments.release_rest"
REFUND_PAYMENT = "payments.refund_payment"

#: What a refund waits for while the customer's bank decides about its payment.
PAYMENT_DISPUTED = "payments.disputed"

#: Why a share cannot be taken: the hold has ended with an earlier one.
AUTHORIZATION_USED_UP = "payments.authorization_used_up"
#: Subject is the payment: its authorization is renewed before it runs out.
RENEW_AUTHORIZATION = "payments.renew_authorization"
HOLD_ANEW = "payments.hold_anew"
GIVE_UP_RENEWAL = "payments.give_up_renewal"
LET_GO_SPARE = "payments.let_go_spare"


@dataclass(frozen=True, kw_only=True)
class PaymentEvent(Event):
    """What every fact about one payment says. `amount_minor` is the amount the fact is about."""

    payment_id: UUID
    order_id: UUID
    shop_id: UUID
    amount_minor: int
    currency: str


@register_event("payments.PaymentAuthorized", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class PaymentAuthorized(PaymentEvent):
    """The bank holds the money for us; none has moved."""


@register_event("payments.PaymentActionRequired", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class PaymentActionRequired(PaymentEvent):
    """The bank wants the customer to act before it holds the money, until `until`. Where is asked of the API."""

    until: datetime


@register_event("payments.PaymentDeclined", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class PaymentDeclined(PaymentEvent):
    """The issuer said no. Nothing is held, and this payment is never tried again."""

    code: str


@register_event("payments.PaymentVoided", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class PaymentVoided(PaymentEvent):
    """Nothing is held any more. `amount_minor` was let go: 0 if nothing had ever been held."""


@register_event("payments.PaymentExpired", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class PaymentExpired(PaymentEvent):
    """The provider let the hold go by itself before it was captured."""


@register_event("payments.AuthorizationExpiring")
@dataclass(frozen=True, kw_only=True)
class AuthorizationExpiring(PaymentEvent):
    """Most of the hold's life is over, and nothing was captured. It is tried to renew it before `until`."""

    until: datetime


@register_event("payments.AuthorizationRenewed")
@dataclass(frozen=True, kw_only=True)
class AuthorizationRenewed(PaymentEvent):
    """The bank holds the money anew, until `until`. What was held before is let go."""

    until: datetime


@register_event("payments.RenewalFailed")
@dataclass(frozen=True, kw_only=True)
class RenewalFailed(PaymentEvent):
    """The hold was not renewed. Nothing is lost: it stays until `until`, and is not tried again by itself."""

    code: str
    until: datetime


@register_event("payments.PaymentCaptured", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class PaymentCaptured(PaymentEvent):
    """The money is ours. Giving it back is a refund from here on."""


@register_event("payments.ShareCaptured", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShareCaptured(PaymentEvent):
    """A share of what is held, for one parcel, is ours. The rest is still held, unless RestReleased follows."""

    capture_id: UUID


@register_event("payments.ShareRefused", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShareRefused(PaymentEvent):
    """A share could not be captured: its parcel stays here. Other shares are not touched by it."""

    capture_id: UUID
    code: str


@register_event("payments.RestReleased", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RestReleased(PaymentEvent):
    """`amount_minor` of the hold was let go: 0 if all of it had been captured. Nothing more will be captured."""


@register_event("payments.CaptureFailed")
@dataclass(frozen=True, kw_only=True)
class CaptureFailed(PaymentEvent):
    """The provider refused to capture what it holds. The hold is still to be let go."""

    code: str


@register_event("payments.PaymentUnknown")
@dataclass(frozen=True, kw_only=True)
class PaymentUnknown(PaymentEvent):
    """The provider may have done `operation`: create, authorize, capture, void or refund. It will be asked.

    `code` is `payments.mismatch` when it did answer, but with another amount, currency or object than asked.
    """

    operation: str
    code: str


@register_event("payments.PaymentRefunded", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class PaymentRefunded(PaymentEvent):
    """`amount_minor` went back to the customer by the way it came."""

    refund_id: UUID


@register_event("payments.RefundFailed", version=2, for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundFailed(PaymentEvent):
    """The provider could not pay back. It is still owed; a person finds another way or tries again.

    `saga_id` is the saga that asked for the refund; None where an event is older than this field.
    """

    refund_id: UUID
    code: str
    saga_id: UUID | None = None


@register_event("payments.RefundReturned", version=2, for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundReturned(PaymentEvent):
    """A refund that had gone back has come back to us, maybe days later. It is owed again; a person finds a way.

    `saga_id` is the saga that asked for the refund; None where an event is older than this field.
    """

    refund_id: UUID
    code: str
    saga_id: UUID | None = None


@upcaster("payments.RefundFailed", from_version=1)
@upcaster("payments.RefundReturned", from_version=1)
def _before_they_named_their_saga(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "saga_id": None}


@register_event("payments.RefundRepaid", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundRepaid(PaymentEvent):
    """What the provider could not pay back was paid another way, such as a bank transfer. Owed no more.

    `saga_id` is the saga that asked for the refund; `reference` names the transfer. Actor and reason are in the
    metadata.
    """

    refund_id: UUID
    saga_id: UUID
    reference: str


@register_event("payments.RefundRefused", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundRefused(PaymentEvent):
    """`amount_minor` of a refund is not paid: the customer's bank, or the provider, had taken it back already.

    Nothing of it is owed. `whole`: nothing is paid of that refund at all. `saga_id` is the saga that asked for it;
    `code` is payments.dispute_lost or payments.reversed.
    """

    refund_id: UUID
    saga_id: UUID
    code: str
    whole: bool


@dataclass(frozen=True, kw_only=True)
class DisputeEvent(PaymentEvent):
    """What every fact about one dispute says. `amount_minor` is disputed.

    `provider_dispute` is its name at the provider. `inquiry`: the customer's bank only asks, and no money has moved.
    """

    dispute_id: UUID
    provider_dispute: str
    inquiry: bool


@register_event("payments.DisputeOpened", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class DisputeOpened(DisputeEvent):
    """The customer's bank wants captured money back. Evidence is taken until `evidence_due_by`, if any is.

    `reason`: fraud, not_received, not_as_described, refund_missing, duplicate, cancelled or other. Nothing is
    refunded of the payment, and nothing more leaves for the order, until it is closed.
    """

    reason: str
    evidence_due_by: datetime | None
    opened_at: datetime


@register_event("payments.DisputeProgressed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class DisputeProgressed(DisputeEvent):
    """An open dispute stands elsewhere: `state` is needs_response or under_review, or it has another date.

    What was an inquiry and is none any more has become a real dispute.
    """

    state: str
    evidence_due_by: datetime | None


@register_event("payments.DisputeClosed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class DisputeClosed(DisputeEvent):
    """The bank has decided: `outcome` is won (the money stays or came back) or lost (it is gone). Final."""

    outcome: str


@register_event("payments.CaptureReversed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class CaptureReversed(PaymentEvent):
    """The provider took `amount_minor` back that it had captured for us. The customer owes it."""

    code: str


@register_event("payments.PaymentFlagged")
@dataclass(frozen=True, kw_only=True)
class PaymentFlagged(PaymentEvent):
    """A person has to look at this payment. Nothing was applied; `amount_minor` is what stands in question.

    `flag`: mismatch (the provider has what cannot be; `said` tells what); renewal_parked (the saga that renews its
    authorization needs a person; `said` tells why); in old events also disputed, dispute_lost, or dispute_won.
    """

    flag: str
    said: str


@register_event("payments.CustomerCredited", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class CustomerCredited(Event):
    """The customer is owed `amount_minor` that did not go back through the provider.

    `source_id` is the refund or credit note it comes from; `order_id` is None for a note without an order.
    """

    source_id: UUID
    order_id: UUID | None
    shop_id: UUID
    amount_minor: int
    currency: str


@register_event("payments.CaseResolved")
@dataclass(frozen=True, kw_only=True)
class CaseResolved(Event):
    """A person has settled a difference between our books and the provider's. Actor and reason are in the metadata.

    `kind` names the difference, `object_id` the provider's object (ours where it has none). `how`: corrected_there,
    corrected_here, explained or written_off. `amount_minor` was at stake.
    """

    case_id: UUID
    kind: str
    object_id: str
    shop_id: UUID | None
    order_id: UUID | None
    how: str
    amount_minor: int
    currency: str
