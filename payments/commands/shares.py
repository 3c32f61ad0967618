"""Taking a payment in shares, one for each parcel, and letting go of what nobody will ship.

A share is written down before the provider hears of it, under the payment's lock, and only one of a payment is
open at a time: what it did is what the intent has captured beyond what it had before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

from payments import contract
from payments.commands import ledger
from payments.commands.attempts import MISMATCH, Outcome, bank_code, unknown
from payments.commands.captures import CLOSED, EXPIRED, expired
from payments.commands.ledger import columns
from payments.commands.sheet import Cause, PaymentRow, Sheet
from payments.commands.voids import released
from payments.commands.watching import watch
from payments.gateways.base import AMOUNT_TOO_LARGE, CAPTURE_FAILED, NOT_AUTHORIZED
from payments.models import Capture, Payment
from sagas.engine.wake import wake_steps
from sagas.ids import uuid7
from sagas.sql import execute, rows
from sagas.steps import NotDone, StepCall
from sagas.verdicts import Answer, Done, IllegalMove, Refused, Unavailable, Unknown, Waiting

State = Capture.State
PaymentState = Payment.State

#: The hold has ended with an earlier capture: what is left of the order has nothing to be paid with.
USED_UP = contract.AUTHORIZATION_USED_UP
IN_FLIGHT = "payments.capture_in_flight"
UNSETTLED = "payments.unsettled"
#: Who waits for another share is woken when it has ended. If it was passed over, it looks by itself after so long.
ITS_TURN = timedelta(minutes=15)
#: Where a payment stands while one of its shares is open.
MAY_BE_OPEN = {PaymentState.CAPTURING, PaymentState.PARTLY_CAPTURED}
#: Where a share can be taken from, and where nothing is held any more.
OPEN_TO_SHARES = {PaymentState.AUTHORIZED, PaymentState.PARTLY_CAPTURED}
NOTHING_HELD = {PaymentState.CAPTURED, PaymentState.VOIDED, PaymentState.EXPIRED, PaymentState.DECLINED}
#: Why nothing can be taken any more.
ENDED = {**CLOSED, PaymentState.CAPTURED: USED_UP, PaymentState.RELEASING: USED_UP}
#: On their way to an end.
LETTING_GO = {PaymentState.VOIDING, PaymentState.RELEASING, PaymentState.UNKNOWN}


@dataclass(slots=True)
class ShareRow:
    """A share as the rules see it."""

    id: UUID
    payment_id: UUID
    saga_id: UUID
    key: UUID
    amount_minor: int
    before_minor: int
    state: str
    code: str = ""
    mismatch: str = ""
    final: bool = False
    moved_at: datetime | None = None  #: Of the row as it was read.


LOADED = tuple(f.name for f in fields(ShareRow))
STORED = LOADED[:-1]
LOAD = f"""
SELECT {", ".join(LOADED)} FROM payments_capture
 WHERE payment_id = ANY(%s::uuid[]) AND (saga_id = ANY(%s::uuid[]) OR state IN ('submitting', 'unknown'))
"""  # noqa: S608 - column names of our own
SAVE = """
INSERT INTO payments_capture AS c
       (id, payment_id, saga_id, key, amount_minor, before_minor, state, code, mismatch, final, made_at, moved_at)
SELECT u.*, %s::timestamptz, %s::timestamptz
  FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
              %s::text[], %s::bool[]) AS u
ON CONFLICT (id) DO UPDATE
   SET key = excluded.key, before_minor = excluded.before_minor, state = excluded.state, code = excluded.code,
       mismatch = excluded.mismatch, final = excluded.final, moved_at = excluded.moved_at
"""
# Those whose steps may be waiting for a share of the same payment to end.
PUT_OFF = "SELECT saga_id FROM payments_capture WHERE payment_id = ANY(%s::uuid[]) AND state = 'put_off' ORDER BY id"


class Shares:
    """The shares of a batch beside its payments: read once, written once. Payments are locked first."""

    def __init__(self, sheet: Sheet, sagas: Iterable[UUID] = ()) -> None:
        self.sheet = sheet
        wanted = set(sagas)
        some = wanted or any(p.state in MAY_BE_OPEN for p in sheet.payments.values())
        read = rows(LOAD, [list(sheet.payments), list(wanted)]) if some else ()
        found = [ShareRow(*row) for row in read]
        self.by_saga = {share.saga_id: share for share in found if share.saga_id in wanted}
        self.open = {share.payment_id: share for share in found if share.state in Capture.OPEN}
        self._changed: dict[UUID, ShareRow] = {}
        self._ended: set[UUID] = set()
        self._in_doubt: set[UUID] = set()

    def begin(self, payment: PaymentRow, call: StepCall, amount: int, *, final: bool) -> ShareRow:
        """Write down what is about to be taken. A try after one that did nothing goes by its own key."""
        share = self.move(self._of(payment, call, amount), State.SUBMITTING)
        if payment.state == PaymentState.AUTHORIZED:  # no void, and no renewal of the hold, may start now
            self.sheet.move(payment, PaymentState.CAPTURING)
        share.key, share.before_minor, share.final = call.key, payment.captured_minor, final
        self._changed[share.id] = self.open[payment.id] = share
        return share

    def wait(self, payment: PaymentRow, call: StepCall, amount: int) -> Unavailable:
        """Write down that it waits for another share of its payment, so that it is woken. Uses up none of its tries."""
        share = self._of(payment, call, amount)
        self._changed[share.id] = share
        return not_yet(call)

    def _of(self, payment: PaymentRow, call: StepCall, amount: int) -> ShareRow:
        """The share of this call's saga; a new one has done nothing yet."""
        fresh = ShareRow(
            uuid7(), payment.id, call.saga_id, call.key, amount, payment.captured_minor, State.PUT_OFF
        )
        return self.by_saga.setdefault(call.saga_id, fresh)

    def move(self, share: ShareRow, to: State) -> ShareRow:
        """Change a share's state by the table. Staying is allowed. Raises IllegalMove."""
        if share.state != to and not Capture.may_move(share.state, to):
            raise IllegalMove(detail=f"share {share.id}: {share.state} to {to}")
        if share.state in Capture.OPEN and to not in Capture.OPEN:
            self._ended.add(share.payment_id)
        share.state, share.mismatch = to, ""
        self._changed[share.id] = share
        return share

    def doubt(self, share: ShareRow, mismatch: str) -> bool:
        """Nobody knows what became of it. Whether that is news: then its payment is watched (F20)."""
        news = share.state != State.UNKNOWN or share.mismatch != mismatch
        self.move(share, State.UNKNOWN).mismatch = mismatch
        if news:
            self._in_doubt.add(share.payment_id)
        return news

    def save(self) -> None:
        """Write shares, payments, ledger and events in the caller's transaction."""
        self.write()
        self.sheet.save()

    def write(self) -> None:
        """Write the shares alone. Whoever waited for one that has ended looks now."""
        if self._changed:
            table = [tuple(getattr(share, name) for name in STORED) for share in self._changed.values()]
            execute(SAVE, [self.sheet.now, self.sheet.now, *columns(table)])
        if self._ended:
            wake_steps([saga for (saga,) in rows(PUT_OFF, [list(self._ended)])], [contract.CAPTURE_SHARE])
        watch(self._in_doubt, now=self.sheet.now)


def not_yet(call: StepCall) -> Unavailable:
    """Another share of the payment is open: it costs none of the step's tries."""
    return Unavailable(IN_FLIGHT).sparing(call.now + ITS_TURN)


# --- capturing ----------------------------------------------------------------------------------------------


def begin_shares(calls: Sequence[StepCall], *, final: bool) -> list[tuple[PaymentRow, ShareRow] | Answer]:
    """Write down the share each call wants to take. Safe to repeat: one share per saga.

    A `final` capture ends the hold. Answers payment and share when the provider has to be asked. Unavailable while
    another share of the payment is open. Refused: `payments.authorization_used_up` and the other ends of a hold, or
    more than is held.
    """
    sheet = Sheet.of_sagas({paid_by(c) for c in calls}, now=calls[0].now)
    shares = Shares(sheet, [c.saga_id for c in calls])
    begun = [_begin(shares, call, final=final) for call in calls]
    shares.save()
    return begun


def paid_by(call: StepCall) -> UUID:
    """The saga whose payment pays for it."""
    return UUID(str(call.input["paid_by"]))


def _begin(shares: Shares, call: StepCall, *, final: bool) -> tuple[PaymentRow, ShareRow] | Answer:
    payment, amount = shares.sheet.by_saga.get(paid_by(call)), int(call.input["share_minor"])
    share = shares.by_saga.get(call.saga_id)
    if payment is None:
        return Refused(NOT_AUTHORIZED)
    if amount == 0 or (share is not None and share.state == State.SUCCEEDED):
        return Done({"captured_minor": amount})
    if share is not None and share.state == State.FAILED:
        return Refused(CAPTURE_FAILED, share.code)
    if share is not None and share.state in Capture.OPEN:
        return payment, share
    no = _may_not(shares, payment, call, amount)
    return no or (payment, shares.begin(payment, call, amount, final=final))


def _may_not(shares: Shares, payment: PaymentRow, call: StepCall, amount: int) -> Answer | None:
    if no := f"payments.{payment.flag}" if payment.flag else ENDED.get(PaymentState(payment.state)):
        return Refused(no)
    if payment.id in shares.open:
        return shares.wait(payment, call, amount)
    if payment.state not in OPEN_TO_SHARES:
        return Unavailable(UNSETTLED, detail=f"the payment is {payment.state}")
    if amount > payment.authorized_minor - payment.captured_minor:
        return Refused(AMOUNT_TOO_LARGE)
    return None


def record_shares(answers: Sequence[tuple[StepCall, Outcome]], *, now: datetime) -> list[Outcome]:
    """Store what the provider said. Safe to repeat; of late answers only a success is news.

    Publishes ShareCaptured or ShareRefused, and RestReleased or PaymentExpired where the hold has ended.
    """
    sheet = Sheet.of_sagas({paid_by(call) for call, _ in answers}, now=now)
    shares = Shares(sheet, [call.saga_id for call, _ in answers])
    outcomes = [_record(shares, call, outcome) for call, outcome in answers]
    shares.save()
    return outcomes


def _record(shares: Shares, call: StepCall, outcome: Outcome) -> Outcome:
    payment, share = shares.sheet.by_saga[paid_by(call)], shares.by_saga[call.saga_id]
    if share.state == State.SUCCEEDED:
        return Done({"captured_minor": share.amount_minor})
    if isinstance(outcome, Done):
        return taken(shares, payment, share, call, closed=bool(outcome.result["closed"]))
    if not call.late and share.state in Capture.OPEN:
        _not_taken(shares, payment, share, call, outcome)
    return outcome


def taken(shares: Shares, payment: PaymentRow, share: ShareRow, call: Cause, *, closed: bool) -> Done:
    """The share is ours; the hold has ended with it if it is `closed`. Publishes ShareCaptured, RestReleased."""
    sheet = shares.sheet
    shares.move(share, State.SUCCEEDED).code = ""
    sheet.move(payment, PaymentState.PARTLY_CAPTURED)
    payment.captured_minor += share.amount_minor
    lines = ledger.capture(share.amount_minor, share.amount_minor)
    sheet.book(payment, ledger.Kind.CAPTURE, lines, source=share.id)
    sheet.tell(payment, contract.ShareCaptured, share.amount_minor, call, capture_id=share.id)
    if closed:
        end_hold(sheet, payment, call)
    return Done({"captured_minor": share.amount_minor})


def _not_taken(
    shares: Shares, payment: PaymentRow, share: ShareRow, call: StepCall, outcome: Outcome
) -> None:
    match outcome:
        case Unavailable() if share.state == State.UNKNOWN:
            pass  # nobody was asked: what an earlier try did is as unknown as before
        case Unavailable() if call.settling:
            _unknown(shares, payment, share, call, outcome)
        case NotDone() | Unavailable():
            shares.move(share, State.PUT_OFF)
            give_free(shares.sheet, payment)
        case Refused():
            refused(shares, payment, share, call, outcome)
        case Unknown():
            _unknown(shares, payment, share, call, outcome)


def refused(shares: Shares, payment: PaymentRow, share: ShareRow, call: Cause, outcome: Refused) -> None:
    """It cannot be captured. Publishes ShareRefused, and the end of the hold where that is why."""
    shares.move(share, State.FAILED).code = bank_code(outcome)
    fact = {"capture_id": share.id, "code": share.code}
    shares.sheet.tell(payment, contract.ShareRefused, share.amount_minor, call, **fact)
    if outcome.code != EXPIRED:
        give_free(shares.sheet, payment)
    elif payment.captured_minor:
        end_hold(shares.sheet, payment, call)
    else:
        expired(shares.sheet, payment, call)


def give_free(sheet: Sheet, payment: PaymentRow) -> None:
    """The first share was not taken: the whole is held as before."""
    if payment.state == PaymentState.CAPTURING:
        sheet.move(payment, PaymentState.AUTHORIZED)


def _unknown(
    shares: Shares,
    payment: PaymentRow,
    share: ShareRow,
    call: StepCall,
    answer: Unknown | Unavailable,
) -> None:
    """Published once for each such answer. The payment stays where it is: its share says what is not known."""
    mismatch = answer.detail[:200] if answer.code == MISMATCH else ""
    if shares.doubt(share, mismatch):
        fact = {"operation": str(Payment.Operation.CAPTURE), "code": answer.code}
        shares.sheet.tell(payment, contract.PaymentUnknown, share.amount_minor, call, **fact)


def end_hold(sheet: Sheet, payment: PaymentRow, call: Cause) -> None:
    """Nothing is held any more; what was captured stays. Publishes RestReleased."""
    sheet.move(payment, PaymentState.CAPTURED)
    rest = payment.authorized_minor - payment.captured_minor
    sheet.book(payment, ledger.Kind.RELEASE, ledger.release(rest))
    sheet.tell(payment, contract.RestReleased, rest, call)


# --- letting go of the rest ---------------------------------------------------------------------------------


def begin_releases(calls: Sequence[StepCall]) -> list[PaymentRow | Answer]:
    """Take what is still held out of the reach of shares, where nothing is left to be paid. Safe to repeat.

    Answers the payment when the provider has to be asked.
    """
    wanted = [c for c in calls if c.input["nothing_left"]]
    sheet = Sheet.of_sagas({paid_by(c) for c in wanted}, now=calls[0].now)
    shares = Shares(sheet)
    begun = [_release(shares, call) if call.input["nothing_left"] else Done() for call in calls]
    shares.save()
    return begun


def _release(shares: Shares, call: StepCall) -> PaymentRow | Answer:
    sheet = shares.sheet
    payment = sheet.by_saga.get(paid_by(call))
    if payment is None or payment.state in NOTHING_HELD:
        return Done()
    if payment.id in shares.open:
        return not_yet(call)
    if payment.state not in OPEN_TO_SHARES | LETTING_GO:
        return Unavailable(UNSETTLED, detail=f"the payment is {payment.state}")
    if not payment.provider_id:
        end_hold(sheet, payment, call)  # of nothing: an order that costs nothing has no hold
        return Done()
    if payment.state in OPEN_TO_SHARES:
        sheet.move(payment, PaymentState.RELEASING if payment.captured_minor else PaymentState.VOIDING)
    return payment


def record_releases(answers: Sequence[tuple[StepCall, Outcome]], *, now: datetime) -> list[Outcome]:
    """Store what the provider said. Safe to repeat. Publishes RestReleased, or PaymentVoided if nothing was taken."""
    sheet = Sheet.of_sagas({paid_by(call) for call, _ in answers}, now=now)
    for call, outcome in answers:
        _record_release(sheet, sheet.by_saga[paid_by(call)], call, outcome)
    sheet.save()
    return [outcome for _, outcome in answers]


def _record_release(sheet: Sheet, payment: PaymentRow, call: StepCall, outcome: Outcome) -> None:
    match outcome:
        case Done() if payment.state == PaymentState.RELEASING:
            end_hold(sheet, payment, call)
        case Done() if payment.state not in NOTHING_HELD:
            released(sheet, payment, call)
        case Unknown() | Waiting() if payment.state in (PaymentState.VOIDING, PaymentState.UNKNOWN):
            unknown(sheet, payment, call, Payment.Operation.VOID, outcome)


__all__ = [
    "IN_FLIGHT",
    "USED_UP",
    "ShareRow",
    "Shares",
    "begin_releases",
    "begin_shares",
    "end_hold",
    "give_free",
    "paid_by",
    "record_releases",
    "record_shares",
    "refused",
    "taken",
]
