"""The rules: what two records of one payment or refund may say, and what each difference is called. No database.

The listing and our rows are read at two moments, and answers are under way all the time. So a difference in state
is excused while it is young, or while a step that will settle it is open. What may never change, such as an
amount, is not excused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from payments.gateways.base import Intent, IntentStatus, RefundStatus
from payments.gateways.base import Refund as TheirRefund
from payments.models import Payment, Refund
from payments.reconciliation.rows import Case

Kind = Case.Kind
State = Payment.State

#: In these states we count on a hold, and in these on none.
HELD = {
    State.AUTHORIZED, State.CAPTURING, State.CAPTURE_FAILED, State.VOIDING, State.PARTLY_CAPTURED, State.RELEASING,
}  # fmt: skip
ENDED = {State.VOIDED, State.DECLINED, State.EXPIRED}
OPENING = {State.CREATED, State.AUTHORIZING, State.REQUIRES_ACTION}

WITHOUT_MONEY = frozenset({IntentStatus.UNCONFIRMED, IntentStatus.DECLINED, IntentStatus.VOIDED})
#: By what we believe, where their record may stand. Nothing agrees with an unknown outcome.
AGREED: Mapping[str, frozenset[IntentStatus]] = {
    **dict.fromkeys(HELD, frozenset({IntentStatus.AUTHORIZED})),
    **dict.fromkeys(ENDED, WITHOUT_MONEY),
    **dict.fromkeys(OPENING, WITHOUT_MONEY | {IntentStatus.PROCESSING, IntentStatus.REQUIRES_ACTION}),
    State.CAPTURED: frozenset({IntentStatus.CAPTURED}),
}
GOING_BACK = {RefundStatus.PENDING, RefundStatus.SUCCEEDED}


@dataclass(frozen=True, kw_only=True)
class Known:
    """What our rows say about every object: whose it is, and whether it is on the move."""

    id: UUID
    saga_id: UUID
    order_id: UUID
    shop_id: UUID
    reference: str
    currency: str
    amount_minor: int
    state: str
    mismatch: str
    provider_id: str
    made_at: datetime
    moved_at: datetime
    step_open: bool

    def moving(self, *, now: datetime, grace: timedelta) -> bool:
        """Whether a difference in state may still be settled by itself. A mismatch will not: a person must look."""
        return not self.mismatch and (self.step_open or self.moved_at > now - grace)


@dataclass(frozen=True, kw_only=True)
class OurPayment(Known):
    """A payment of ours. `twin` names another captured payment of its order that came before it.

    `share_open`: it is just being asked for a share, so what was captured of it may be more than we know.
    """

    authorized_minor: int
    captured_minor: int
    reversed_minor: int
    refunded_minor: int
    twin: str
    share_open: bool

    @property
    def kept_minor(self) -> int:
        """What was captured and not taken back by the provider."""
        return self.captured_minor - self.reversed_minor

    @property
    def held_minor(self) -> int:
        """What we believe the bank to hold."""
        ended = self.state in ENDED or self.state == State.CAPTURED
        return 0 if ended else self.authorized_minor - self.captured_minor

    def words(self) -> dict[str, Any]:
        """Our side of a case."""
        return {
            "id": str(self.id), "state": self.state, "amount_minor": self.amount_minor, "currency": self.currency,
            "held_minor": self.held_minor, "captured_minor": self.kept_minor, "provider_id": self.provider_id,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OurRefund(Known):
    """A refund of ours. `intent_id` is the provider's name of the payment it gives back."""

    payment_id: UUID
    intent_id: str

    def words(self) -> dict[str, Any]:
        """Our side of a case."""
        return {
            "id": str(self.id), "state": self.state, "amount_minor": self.amount_minor, "currency": self.currency,
            "intent_id": self.intent_id, "provider_id": self.provider_id,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Whose an intent is that no payment of ours names: found by its reference and key."""

    saga_id: UUID
    shop_id: UUID
    order_id: UUID
    reference: str
    step_open: bool
    payment: OurPayment | None
    renewing: bool = False  #: One of the two holds of a renewal that is still under way.


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One difference. `object_id` is the provider's name of the object, or ours where it has none."""

    kind: str
    about: str
    object_id: str
    at_stake_minor: int
    currency: str
    ours: Mapping[str, Any] = field(default_factory=dict)
    theirs: Mapping[str, Any] = field(default_factory=dict)
    shop_id: UUID | None = None
    order_id: UUID | None = None
    payment_id: UUID | None = None
    refund_id: UUID | None = None
    saga_id: UUID | None = None
    reference: str = ""


@dataclass(frozen=True)
class Judged:
    """What comparing one object came to. In flight: they differ, and may."""

    findings: tuple[Finding, ...] = ()
    in_flight: bool = False
    idle: bool = False


def judge_payment(ours: OurPayment, theirs: Intent, *, moving: bool) -> Judged:
    """Both sides of one payment. Currency and amount come first: without them the rest means nothing."""
    fixed = _fixed_kind(ours, theirs)
    if fixed:
        return Judged((_of_payment(fixed, ours, theirs, stake=_fixed_stake(ours, theirs)),))
    found = [_of_payment(kind, ours, theirs) for kind in _state_kinds(ours, theirs)]
    twice = bool(ours.twin) and theirs.captured_minor > 0
    doubled = (
        [_of_payment(Kind.DUPLICATE_CAPTURE, ours, theirs, stake=theirs.captured_minor)] if twice else []
    )
    if found and moving:
        return Judged(tuple(doubled), in_flight=True)
    return Judged((*doubled, *found))


def _fixed_kind(ours: OurPayment, theirs: Intent) -> str:
    if ours.currency != theirs.currency:
        return Kind.CURRENCY_DIFFERS
    if ours.amount_minor != theirs.amount_minor:
        return Kind.AMOUNT_DIFFERS
    both_captured = ours.state == State.CAPTURED and theirs.status == IntentStatus.CAPTURED
    if both_captured and ours.kept_minor != theirs.captured_minor:
        return Kind.AMOUNT_DIFFERS
    both_hold = ours.state in HELD and theirs.status == IntentStatus.AUTHORIZED
    return Kind.AMOUNT_DIFFERS if both_hold and _money_apart(ours, theirs) and not ours.share_open else ""


def _fixed_stake(ours: OurPayment, theirs: Intent) -> int:
    if ours.currency != theirs.currency:
        return max(theirs.captured_minor, theirs.capturable_minor, theirs.amount_minor)
    return abs(theirs.amount_minor - ours.amount_minor) or _money_apart(ours, theirs)


def _state_kinds(ours: OurPayment, theirs: Intent) -> list[str]:
    status = theirs.status
    if ours.state in ENDED and status == IntentStatus.AUTHORIZED:
        return [Kind.HELD_THERE_BUT_ENDED_HERE]
    agreed = WITHOUT_MONEY if ours.reversed_minor else AGREED.get(ours.state, frozenset())
    return [] if status in agreed else [Kind.STATE_DIFFERS]


def _money_apart(ours: OurPayment, theirs: Intent) -> int:
    held = abs(theirs.capturable_minor - ours.held_minor)
    return max(abs(theirs.captured_minor - ours.kept_minor), held)


def missing_payment(ours: OurPayment, *, moving: bool) -> Judged:
    """The provider says that it does not know a payment we count on."""
    if moving:
        return Judged(in_flight=True)
    relied = max(ours.kept_minor - ours.refunded_minor, 0) or ours.held_minor
    if not relied and ours.state in ENDED:
        return Judged(idle=True)  # nothing is lost with it
    return Judged((_of_payment(Kind.MISSING_AT_PROVIDER, ours, None, stake=relied or ours.amount_minor),))


def judge_stray(theirs: Intent, claim: Claim | None, *, now: datetime, grace: timedelta) -> Judged:
    """An intent that no payment of ours names."""
    if theirs.status in WITHOUT_MONEY:
        return Judged(idle=True)
    ours = claim.payment if claim else None
    if claim and claim.renewing and theirs.status == IntentStatus.AUTHORIZED:
        return Judged(in_flight=True)  # whichever turns out to be spare is let go
    if claim and (claim.step_open or (ours and ours.moving(now=now, grace=grace))) and not _other(ours):
        return Judged(in_flight=True)  # its id is not stored yet
    kind: str = Kind.UNKNOWN_TO_US
    if _other(ours):
        captured = theirs.status == IntentStatus.CAPTURED
        kind = Kind.DUPLICATE_CAPTURE if captured else Kind.DUPLICATE_HOLD
    return Judged((_of_stray(kind, theirs, claim),))


def _other(ours: OurPayment | None) -> bool:
    """Whether the payment already names another intent."""
    return ours is not None and bool(ours.provider_id)


def judge_refund(ours: OurRefund | None, theirs: TheirRefund, *, moving: bool, twin: bool = False) -> Judged:
    """Both sides of one refund. `twin`: the refund of ours with that reference names another one of theirs."""
    if ours is None or twin:
        if theirs.status not in GOING_BACK:
            return Judged(idle=True)  # a try that failed moved nothing
        kind = Kind.DUPLICATE_REFUND if twin else Kind.UNKNOWN_TO_US
        return Judged((_of_refund(kind, ours, theirs),))
    if ours.currency != theirs.currency:
        return Judged((_of_refund(Kind.CURRENCY_DIFFERS, ours, theirs),))
    if ours.amount_minor != theirs.amount_minor:
        return Judged((_of_refund(Kind.AMOUNT_DIFFERS, ours, theirs),))
    if _agrees(ours, theirs):
        return Judged()
    return Judged(in_flight=True) if moving else Judged((_of_refund(Kind.REFUND_DIFFERS, ours, theirs),))


def _agrees(ours: OurRefund, theirs: TheirRefund) -> bool:
    match theirs.status:
        case RefundStatus.SUCCEEDED:
            return ours.state == Refund.State.SUCCEEDED and ours.intent_id == theirs.intent_id
        case RefundStatus.PENDING:
            return ours.state in (Refund.State.UNKNOWN, Refund.State.SUBMITTING)
        case _:
            return ours.state != Refund.State.SUCCEEDED


def missing_refund(ours: OurRefund, *, moving: bool) -> Judged:
    """The provider says that it does not know a refund we believe paid."""
    if moving:
        return Judged(in_flight=True)
    return Judged((_of_refund(Kind.MISSING_AT_PROVIDER, ours, None),))


def words_of_intent(theirs: Intent) -> dict[str, Any]:
    """Their side of a case about a payment."""
    return {
        "id": theirs.id, "state": str(theirs.status), "amount_minor": theirs.amount_minor,
        "currency": theirs.currency, "held_minor": theirs.capturable_minor,
        "captured_minor": theirs.captured_minor, "reference": theirs.reference, "key": theirs.key,
    }  # fmt: skip


def words_of_refund(theirs: TheirRefund) -> dict[str, Any]:
    """Their side of a case about a refund."""
    return {
        "id": theirs.id, "state": str(theirs.status), "amount_minor": theirs.amount_minor,
        "currency": theirs.currency, "intent_id": theirs.intent_id, "reference": theirs.reference,
        "key": theirs.key,
    }  # fmt: skip


def _of_payment(kind: str, ours: OurPayment, theirs: Intent | None, *, stake: int | None = None) -> Finding:
    apart = stake if stake is not None else (_money_apart(ours, theirs) if theirs else ours.amount_minor)
    return Finding(
        kind=kind, about=Case.About.PAYMENT, object_id=ours.provider_id or str(ours.id),
        at_stake_minor=apart or ours.amount_minor, currency=theirs.currency if theirs else ours.currency,
        ours=ours.words(), theirs=words_of_intent(theirs) if theirs else {}, shop_id=ours.shop_id,
        order_id=ours.order_id, payment_id=ours.id, saga_id=ours.saga_id, reference=ours.reference,
    )  # fmt: skip


def _of_stray(kind: str, theirs: Intent, claim: Claim | None) -> Finding:
    payment = claim.payment if claim else None
    stake = theirs.captured_minor or theirs.capturable_minor or theirs.amount_minor
    return Finding(
        kind=kind, about=Case.About.PAYMENT, object_id=theirs.id, at_stake_minor=stake, currency=theirs.currency,
        ours=payment.words() if payment else {}, theirs=words_of_intent(theirs),
        shop_id=claim.shop_id if claim else None, order_id=claim.order_id if claim else None,
        payment_id=payment.id if payment else None, saga_id=claim.saga_id if claim else None,
        reference=theirs.reference,
    )  # fmt: skip


def _of_refund(kind: str, ours: OurRefund | None, theirs: TheirRefund | None) -> Finding:
    one = theirs or ours
    assert one is not None  # noqa: S101 - a difference has at least one side
    apart = abs(theirs.amount_minor - ours.amount_minor) if ours and theirs else 0
    return Finding(
        kind=kind, about=Case.About.REFUND, object_id=theirs.id if theirs else _name_of(ours),
        at_stake_minor=apart or one.amount_minor, currency=one.currency, ours=ours.words() if ours else {},
        theirs=words_of_refund(theirs) if theirs else {}, shop_id=ours.shop_id if ours else None,
        order_id=ours.order_id if ours else None, payment_id=ours.payment_id if ours else None,
        refund_id=ours.id if ours else None, saga_id=ours.saga_id if ours else None, reference=one.reference,
    )  # fmt: skip


def _name_of(ours: OurRefund | None) -> str:
    return "" if ours is None else ours.provider_id or str(ours.id)
