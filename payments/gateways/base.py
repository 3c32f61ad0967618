"""What every payment gateway promises, whoever the vendor.

Amounts are integer minor units, currencies ISO codes in upper case. Every act takes the step's idempotency
key: a repeat with the same key has one effect and one answer. The adapter makes a key of its own for each
kind of act, so the same step key may be given to create, confirm, capture, void and refund. One key for two
different requests of a kind raises `KeyReused`, a bug. A vendor forgets keys in time (often after a day).

Answers are values: the object as it stands, or `Refused` (a no, nothing to wait for), `Unavailable` (nothing
was done, try later), `Unknown` (ask by `retrieve`, `find_by_reference` or `refunds_of` before anything else).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from sagas.verdicts import Refused, Unavailable, Unknown

NOT_FOUND = "payments.not_found"
DECLINED = "payments.declined"
CAPTURE_FAILED = "payments.capture_failed"
REFUND_FAILED = "payments.refund_failed"
REFUND_TOO_LARGE = "payments.refund_too_large"
CHARGE_DISPUTED = "payments.charge_disputed"  # nothing goes back of what the customer's bank is after
AMOUNT_TOO_LARGE = "payments.amount_too_large"
ALREADY_CAPTURED = "payments.already_captured"
ALREADY_VOIDED = "payments.already_voided"
NOT_AUTHORIZED = "payments.not_authorized"
NOT_CAPTURED = "payments.not_captured"
REQUIRES_ACTION = "payments.requires_action"
ONE_CAPTURE_ONLY = "payments.one_capture_only"  # this hold cannot be captured and stay open
AUTHENTICATION_REQUIRED = "authentication_required"  # a bank's word: it wants the customer, who is not there
ACTION_EXPIRED = "payments.action_expired"  # the customer did not act in time
GATEWAY_REFUSED = "payments.gateway_refused"  # any other no; the detail has the vendor's word

T = TypeVar("T")


class IntentStatus(StrEnum):
    """Where an intent stands."""

    UNCONFIRMED = "unconfirmed"  #: Created; the card has not been touched.
    REQUIRES_ACTION = "requires_action"  #: The customer must act (3-D Secure).
    DECLINED = "declined"  #: The bank said no; confirming again with another card is possible.
    PROCESSING = "processing"  #: The bank has not decided yet.
    AUTHORIZED = "authorized"  #: The money is held. Part of it may have been captured.
    CAPTURED = "captured"  #: What was captured is ours, and nothing is held any more.
    VOIDED = "voided"  #: The hold was let go, or there was none.


class RefundStatus(StrEnum):
    """Where a refund stands."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DisputeStatus(StrEnum):
    """Where a dispute stands."""

    NEEDS_RESPONSE = "needs_response"  #: The bank waits for evidence.
    UNDER_REVIEW = "under_review"  #: The bank has it, and decides.
    WON = "won"  #: The money stays, or came back.
    LOST = "lost"  #: The bank has taken it.


class DisputeReason(StrEnum):
    """What a customer's bank complains of, in classes."""

    FRAUD = "fraud"  #: The holder of the card says that it was not them, or does not know the payment.
    NOT_RECEIVED = "not_received"  #: The goods did not come.
    NOT_AS_DESCRIBED = "not_as_described"  #: They are broken, or something else.
    REFUND_MISSING = "refund_missing"  #: A refund was promised, and did not come.
    DUPLICATE = "duplicate"  #: It was paid twice.
    CANCELLED = "cancelled"  #: It had been cancelled.
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class CreateIntent:
    """A payment to be made. Creating it touches no card. `reference` is the shop's own name of the order.

    `in_shares` asks that the hold may be captured several times; a card may not allow it.
    """

    key: UUID
    reference: str
    amount_minor: int
    currency: str
    payment_method: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    in_shares: bool = False
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class ConfirmIntent:
    """Hold the money. The customer, if the bank wants them to act, is sent back to `return_url` after it.

    `off_session`: nobody is there to act; a bank that wants the customer is a no. The answer then says until when
    it holds, as `retrieve` does.
    """

    key: UUID
    intent_id: str
    return_url: str = ""
    off_session: bool = False
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class CaptureIntent:
    """Take held money. The `final` capture lets the rest of the hold go; another one leaves it held."""

    key: UUID
    intent_id: str
    amount_minor: int
    final: bool = True
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class ReleaseRest:
    """Let go of what is still held of an intent of which part was captured."""

    key: UUID
    intent_id: str
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class VoidIntent:
    """Let the hold go, or make sure that an unconfirmed intent can never hold anything."""

    key: UUID
    intent_id: str
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class RefundIntent:
    """Give captured money back. `reference` names this refund at the gateway, beside the order's."""

    key: UUID
    intent_id: str
    amount_minor: int
    reference: str
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A payment as the gateway has it. `key` is the step key it was created with, empty when not ours."""

    id: str
    status: IntentStatus
    amount_minor: int
    currency: str
    capturable_minor: int
    captured_minor: int
    reference: str
    key: str
    decline_code: str = ""
    action_url: str = ""  #: Where the customer acts, while the bank wants them to.
    #: Until when it can be captured. Only some answers say so: of two that differ in nothing else none is newer.
    expires_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Refund:
    """A refund as the gateway has it."""

    id: str
    status: RefundStatus
    intent_id: str
    amount_minor: int
    currency: str
    reference: str
    key: str
    failure_code: str = ""


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """A dispute as the gateway has it. `inquiry`: the bank only asks, and no money has moved.

    `fee_minor` is what the vendor charges for it so far, in `fee_currency`; 0 while it has told of none.
    """

    id: str
    status: DisputeStatus
    inquiry: bool
    intent_id: str
    amount_minor: int
    currency: str
    reason: DisputeReason
    opened_at: datetime
    evidence_due_by: datetime | None = None
    fee_minor: int = 0
    fee_currency: str = ""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a listing, newest first. `next` goes on; None: that was all."""

    items: tuple[T, ...]
    next: str | None


IntentResult = Intent | Refused | Unavailable | Unknown
RefundResult = Refund | Refused | Unavailable | Unknown


class PaymentGateway(Protocol):
    """One vendor. Thread-safe; never raises for what a vendor may say or fail to say."""

    def create(self, request: CreateIntent) -> IntentResult:
        """Create the intent unconfirmed. Its id is to be stored before `confirm`."""
        ...

    def confirm(self, request: ConfirmIntent) -> IntentResult:
        """Hold the money, or have the customer act first. Refused: declined (the bank's code), already voided."""
        ...

    def capture(self, request: CaptureIntent) -> IntentResult:
        """Take the money. An intent captured before answers as it stands: compare `captured_minor`.

        One that is not final leaves the rest held; `payments.one_capture_only` refuses it where that cannot be.
        """
        ...

    def release(self, request: ReleaseRest) -> IntentResult:
        """Let the rest of a partly captured hold go. Safe on one of which nothing is held any more."""
        ...

    def void(self, request: VoidIntent) -> IntentResult:
        """Let the hold go. Refused with `payments.already_captured` when too late. Safe on a voided one."""
        ...

    def refund(self, request: RefundIntent) -> RefundResult:
        """Give money back, never more than was captured over all refunds of the intent.

        A late repeat must look at `refunds_of` first: a vendor that forgot the key would pay twice. Refused with
        `payments.charge_disputed` while the customer's bank is after the money, or has taken it.
        """
        ...

    def retrieve(self, intent_id: str, *, correlation_id: str = "") -> Intent | Refused | Unavailable:
        """The intent as it stands now. Refused with `payments.not_found`."""
        ...

    def retrieve_refund(self, refund_id: str, *, correlation_id: str = "") -> Refund | Refused | Unavailable:
        """The refund as it stands now. Refused with `payments.not_found`."""
        ...

    def find_by_reference(
        self, reference: str, *, correlation_id: str = ""
    ) -> tuple[Intent, ...] | Unavailable:
        """All intents of an order, newest first. It may lag: it can prove presence, not absence."""
        ...

    def refunds_of(self, intent_id: str, *, correlation_id: str = "") -> tuple[Refund, ...] | Unavailable:
        """All refunds of an intent, newest first. Complete: it settles a refund whose answer was lost."""
        ...

    def list_intents(self, *, after: str | None = None, limit: int = 100) -> Page[Intent] | Unavailable:
        """A page of everything, for reconciliation."""
        ...

    def list_refunds(self, *, after: str | None = None, limit: int = 100) -> Page[Refund] | Unavailable:
        """A page of everything, for reconciliation."""
        ...

    def retrieve_dispute(
        self, dispute_id: str, *, correlation_id: str = ""
    ) -> Dispute | Refused | Unavailable:
        """The dispute as it stands now. Refused with `payments.not_found`."""
        ...

    def list_disputes(self, *, after: str | None = None, limit: int = 100) -> Page[Dispute] | Unavailable:
        """A page of everything, newest first: what nobody told us of is found there."""
        ...
