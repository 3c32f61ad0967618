"""Shares at which no step is at work: their saga has ended, or stands still. They are settled by what the provider has.

Where that cannot tell, a person's word does. So a share never stays open for good, and stops no other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from payments import contract
from payments.commands.captures import EXPIRED
from payments.commands.share_outcome import Seen, in_words, seen
from payments.commands.shares import ShareRow, Shares, give_free, refused, taken
from payments.commands.sheet import News, PaymentRow, Sheet
from payments.commands.watching import AGE
from payments.gateways.base import CAPTURE_FAILED, Intent, IntentStatus
from payments.models import Capture
from sagas import operate
from sagas.engine.rows import COMPLETED, PARKED
from sagas.engine.wake import Latecomers, at_work
from sagas.verdicts import Refused

BY_HAND = "settled_by_hand"
UNDECIDED = "undecided"


class NoSuchShare(Refused):
    """There is no share of that id."""

    code = "payments.no_such_share"


class ShareNotOpen(Refused):
    """It is known what became of this share."""

    code = "payments.share_not_open"


class ShareAtWork(Refused):
    """A step is asking the provider about this share. It is settled by hand once that has come to nothing."""

    code = "payments.share_at_work"


@dataclass(frozen=True)
class Settled:
    """What was done, and what a person has to know of it."""

    word: str
    trouble: str = ""


class Alone:
    """Settles shares of locked payments whose sagas are locked too. Others are left to their own steps."""

    def __init__(self, shares: Shares, late: Latecomers, locked: Collection[UUID]) -> None:
        self.shares, self.late = shares, late
        open_ = {share.saga_id for share in shares.open.values()}.intersection(locked)
        self.left = open_ - at_work(open_, [contract.CAPTURE_SHARE])

    def settle(self, payment: PaymentRow, intent: Intent) -> Settled:
        """Bring the open share of a payment to where its intent stands, and let its saga go on or say that it is late.

        That nothing was taken counts only a quarter of an hour after the last try: a request may be on its way.
        """
        share = self.shares.open[payment.id]
        if share.saga_id not in self.left:
            return Settled(UNDECIDED)
        sums = {"before_minor": share.before_minor, "share_minor": share.amount_minor}
        match seen(intent, **sums):
            case Seen.TAKEN:
                self.take(payment, share, closed=intent.status == IntentStatus.CAPTURED)
                return Settled("share_captured")
            case Seen.GONE:
                self.refuse(payment, share, Refused(EXPIRED))
                return Settled("share_refused", self._unpaid(share))
            case Seen.NOTHING if _is_quiet(share, self.shares.sheet.now):
                self._put_off(payment, share)
                return Settled("share_put_off", self._unpaid(share))
            case Seen.CANNOT_BE:
                return Settled("mismatch", in_words(intent, **sums))
            case _:
                return Settled(UNDECIDED)

    def take(self, payment: PaymentRow, share: ShareRow, *, closed: bool) -> None:
        """It is ours. If its parcel was given up, the saga comes back, parked: nothing takes a share back by itself."""
        done = taken(self.shares, payment, share, self._news(share), closed=closed)
        self.late.succeeded(share.saga_id, contract.CAPTURE_SHARE, done)
        self._go_on(share)

    def refuse(self, payment: PaymentRow, share: ShareRow, why: Refused) -> None:
        """It is not ours, and will not be."""
        refused(self.shares, payment, share, self._news(share), why)
        self._go_on(share)

    def _put_off(self, payment: PaymentRow, share: ShareRow) -> None:
        self.shares.move(share, Capture.State.PUT_OFF)
        give_free(self.shares.sheet, payment)
        self._go_on(share)

    def _news(self, share: ShareRow) -> News:
        return News(self.late.correlation(share.saga_id))

    def _go_on(self, share: ShareRow) -> None:
        """What its saga stood still for is known."""
        saga, sheet = self.late.sagas.get(share.saga_id), self.shares.sheet
        if saga is not None and saga.hold == PARKED:
            reason = sheet.reason or "what became of the share is known"
            operate.retry_now([saga.id], actor=sheet.actor, reason=reason, now=sheet.now)

    def _unpaid(self, share: ShareRow) -> str:
        """What a person has to know: somebody's word let the parcel go as if it were paid."""
        saga = self.late.sagas.get(share.saga_id)
        gone_on = saga is None or saga.state == COMPLETED
        return f"a share of {share.amount_minor} was not captured, and its parcel goes" if gone_on else ""


def _is_quiet(share: ShareRow, now: datetime) -> bool:
    return share.moved_at is not None and share.moved_at <= now - AGE


def decide_share(share_id: UUID, *, is_taken: bool, actor: str, reason: str, now: datetime) -> None:
    """Settle an open share by a person's word, where the provider's does not tell it. Moves no money.

    Its saga goes on if it stands still. Publishes ShareCaptured or ShareRefused. Raises Refused: no actor or reason,
    no such share, it is not open, or a step is at work on it.
    """
    if not actor.strip() or not reason.strip():
        raise operate.ReasonMissing
    with transaction.atomic():
        saga_id, payment_id = _place_of(share_id)
        late = Latecomers([saga_id])  # the saga is locked before the payment, as everywhere
        sheet = Sheet.of_payments([payment_id], now=now, actor=actor.strip()[:100], reason=reason)
        alone = Alone(Shares(sheet, [saga_id]), late, [saga_id])
        payment, share = sheet.payments[payment_id], alone.shares.by_saga[saga_id]
        _check(alone, share)
        if is_taken:
            alone.take(payment, share, closed=False)
        else:
            alone.refuse(payment, share, Refused(CAPTURE_FAILED, BY_HAND))
        alone.shares.save()
        late.save()


def _place_of(share_id: UUID) -> tuple[UUID, UUID]:
    found = Capture.objects.filter(pk=share_id).values_list("saga_id", "payment_id").first()
    if found is None:
        raise NoSuchShare(detail=str(share_id))
    return found


def _check(alone: Alone, share: ShareRow) -> None:
    if share.state not in Capture.OPEN:
        raise ShareNotOpen(detail=f"it is {share.state}")
    if share.saga_id not in alone.left:
        raise ShareAtWork(detail="a step is asking about it")
