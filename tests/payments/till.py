"""A till to test with: payments go through their steps as the engine would take them, without the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from payments import contract
from payments.gateways.fake import FakeGateway
from payments.models import Capture, JournalEntry, Payment, Refund
from payments.steps import (
    AuthorizePayment,
    CapturePayment,
    CaptureShare,
    GiveUpRenewal,
    HoldAnew,
    LetGoSpare,
    RefundPayment,
    ReleaseRest,
    VoidAuthorization,
)
from sagas.ids import operation_key, uuid7
from sagas.log import read
from sagas.sql import execute, rows
from sagas.steps import Ask, Continue, ExternalStep, NotDone, StepCall
from sagas.verdicts import Answer
from tests.conftest import Clock

#: I2 and I3, recomputed from rows alone: payments whose ledger does not say what the row says.
WRONG_BOOKS = """
WITH said AS (
  SELECT e.payment_id AS id,
         coalesce(sum(l.amount_minor) FILTER (WHERE l.account = 'holds'), 0) AS held,
         coalesce(sum(l.amount_minor) FILTER (WHERE l.account = 'provider_clearing'), 0) AS clearing,
         coalesce(sum(l.amount_minor) FILTER (WHERE l.account = 'disputed'), 0) AS disputed,
         coalesce(sum(l.amount_minor) FILTER (WHERE l.account = 'dispute_losses'), 0) AS lost,
         coalesce(-sum(l.amount_minor) FILTER (WHERE l.account = 'refunds_payable'), 0) AS payable
    FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id GROUP BY 1)
SELECT p.id, p.state, s.held, s.clearing, s.payable
  FROM payments_payment p LEFT JOIN said s USING (id)
 WHERE coalesce(s.clearing, 0)
       <> p.captured_minor - p.refunded_minor - p.reversed_minor - p.disputed_minor - p.charged_back_minor
    OR coalesce(s.disputed, 0) <> p.disputed_minor OR coalesce(s.lost, 0) <> p.charged_back_minor
    OR coalesce(s.payable, 0) <> p.refunding_minor
    OR coalesce(s.held, 0) <> CASE WHEN p.state IN ('captured', 'voided', 'expired') THEN 0
                                   ELSE p.authorized_minor - p.captured_minor END
"""

HANDLERS: dict[str, ExternalStep] = {
    contract.AUTHORIZE_PAYMENT: AuthorizePayment(),
    contract.VOID_AUTHORIZATION: VoidAuthorization(),
    contract.CAPTURE_PAYMENT: CapturePayment(),
    contract.REFUND_PAYMENT: RefundPayment(),
    contract.CAPTURE_SHARE: CaptureShare(),
    contract.RELEASE_REST: ReleaseRest(),
    contract.HOLD_ANEW: HoldAnew(),
    contract.LET_GO_SPARE: LetGoSpare(),
    contract.GIVE_UP_RENEWAL: GiveUpRenewal(),
}


def wrong_books() -> list[tuple[Any, ...]]:
    """Payments that break I2 or I3. An empty list is what every test wants."""
    # What this very transaction wrote is in no statistics: joined by a plan for empty tables it may take hours.
    execute("ANALYZE payments_payment, payments_journalentry, payments_journalline")
    return rows(WRONG_BOOKS)


class Till:
    """One shop's payments at a fake gateway. Orders go by their reference."""

    def __init__(self, gateway: FakeGateway, clock: Clock) -> None:
        self.gateway, self.clock = gateway, clock
        self.shop_id = uuid7()
        self._ids: dict[str, UUID] = {}
        self.attempts: Counter[tuple[str, UUID]] = Counter()

    def id(self, name: str) -> UUID:
        """The id that goes by a name."""
        return self._ids.setdefault(name, uuid7())

    def call(
        self, step: str, reference: str, *, amount: int = 1000, intent: int = 1, **more: Any
    ) -> StepCall:
        """One saga's call, as the engine builds it. An undo gets the key of its step."""
        do = contract.AUTHORIZE_PAYMENT if step == contract.VOID_AUTHORIZATION else step
        saga = f"saga of {reference}"
        self.attempts[step, self.id(saga)] += 1
        known: dict[str, Any] = {
            "saga_id": self.id(saga), "step_id": self.id(f"{saga} {step}"), "step": step,
            "key": operation_key(self.shop_id, reference, do, intent),
            "subject_id": self.id(reference.partition("/")[0]),
            "shop_id": self.shop_id, "reference": reference, "search_key": reference,
            "input": {"payment_method": "pm_card_visa"}, "subject": None, "amount_minor": amount,
            "currency": "GBP",
            "attempt": self.attempts[step, self.id(saga)], "epoch": 0, "intent_number": intent,
            "memo": {},
            "now": self.clock.now, "correlation_id": f"request of {reference}",
        }  # fmt: skip
        return StepCall(**known | more)

    def refund_call(self, reference: str, *, refund: int, credit: int = 0, **more: Any) -> StepCall:
        """A refund's call; `A-1/note` gives back for the order `A-1`."""
        order = str(self.id(reference.partition("/")[0]))
        wanted = {"order_id": order, "refund_minor": refund, "credit_minor": credit}
        return self.call(contract.REFUND_PAYMENT, reference, input=wanted, **more)

    def authorize(self, reference: str, **more: Any) -> Answer:
        return self.run(self.call(contract.AUTHORIZE_PAYMENT, reference, **more))

    def void(self, reference: str, **more: Any) -> Answer:
        return self.run(self.call(contract.VOID_AUTHORIZATION, reference, cause="refused", **more))

    def capture(self, reference: str, **more: Any) -> Answer:
        return self.run(self.call(contract.CAPTURE_PAYMENT, reference, **more))

    def refund(self, reference: str, *, refund: int, credit: int = 0, **more: Any) -> Answer:
        return self.run(self.refund_call(reference, refund=refund, credit=credit, **more))

    def share_call(self, reference: str, share: int, **more: Any) -> StepCall:
        """A share's call; `A-1/p1` takes its share of what is held for `A-1`."""
        wanted = {"paid_by": self.paid_by(reference), "share_minor": share}
        return self.call(contract.CAPTURE_SHARE, reference, input=wanted, **more)

    def release_call(self, reference: str, *, nothing_left: bool = True, **more: Any) -> StepCall:
        """The call that lets go of what is left of the hold for `A-1`, as the saga of `A-1/p1` makes it."""
        wanted = {"paid_by": self.paid_by(reference), "nothing_left": nothing_left}
        return self.call(contract.RELEASE_REST, reference, input=wanted, **more)

    def paid_by(self, reference: str) -> str:
        """The saga whose payment pays for it."""
        return str(self.id(f"saga of {reference.partition('/')[0]}"))

    def hold(self, reference: str, **more: Any) -> Answer:
        """An authorization that is to be captured in shares."""
        asked = {"payment_method": "pm_card_visa", "in_shares": True}
        return self.authorize(reference, input=asked, **more)

    def share(self, reference: str, share: int, **more: Any) -> Answer:
        return self.run(self.share_call(reference, share, **more))

    def release(self, reference: str, **more: Any) -> Answer:
        return self.run(self.release_call(reference, **more))

    def share_row(self, reference: str) -> Capture:
        return Capture.objects.get(saga_id=self.id(f"saga of {reference}"))

    def captured(self, reference: str, **more: Any) -> None:
        """A payment that has gone all the way."""
        self.authorize(reference, **more)
        self.capture(reference, **more)

    def run(self, call: StepCall) -> Answer:
        """One call, through begin, ask or settle, and record, until it is answered."""
        return self.run_all([call])[0]

    def run_all(self, calls: Sequence[StepCall]) -> list[Answer]:
        """One claim of the engine: every call to its answer. A batch has one step."""
        begun = self.begin(calls)
        answers: dict[UUID, Answer] = {
            c.saga_id: b for c, b in zip(calls, begun, strict=True) if not isinstance(b, Ask)
        }
        flying = [b for b in begun if isinstance(b, Ask)]
        while flying:
            recorded = self.record([(ask.call, self.ask(ask)) for ask in flying])
            pairs = list(zip(flying, recorded, strict=True))
            answers |= {ask.call.saga_id: r for ask, r in pairs if not isinstance(r, Continue)}
            flying = [self.again(ask, r) for ask, r in pairs if isinstance(r, Continue)]
        return [answers[c.saga_id] for c in calls]

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        """The claiming transaction."""
        with transaction.atomic():
            return HANDLERS[calls[0].step].begin(calls)

    def asked(self, call: StepCall) -> Ask:
        """One call that has begun and is to be put to the provider."""
        [begun] = self.begin([call])
        assert isinstance(begun, Ask)
        return begun

    def created(self, ask: Ask) -> Ask:
        """The first half of an authorization: the intent exists, its id is stored. Asked again: confirmed."""
        [kept] = self.record([(ask.call, self.ask(ask))])
        assert isinstance(kept, Continue)
        return self.again(ask, kept)

    def ask(self, ask: Ask) -> Answer | Continue:
        """What the thread does."""
        handler = HANDLERS[ask.call.step]
        return handler.settle(ask) if ask.call.settling else handler.ask(ask)

    def record(self, answers: Sequence[tuple[StepCall, Answer | Continue]]) -> Sequence[Answer | Continue]:
        """The recording transaction."""
        with transaction.atomic():
            return HANDLERS[answers[0][0].step].record(answers)

    def again(self, ask: Ask, answer: Continue) -> Ask:
        """The same question with what was stored since."""
        return replace(ask, call=replace(ask.call, memo={**ask.call.memo, **answer.memo}, settling=False))

    def settle(self, call: StepCall) -> Answer:
        """The next claim after an unknown outcome. A proven "not done" goes on with a new intent."""
        answer = self.run(replace(call, settling=True, attempt=call.attempt + 1))
        if not isinstance(answer, NotDone):
            return answer
        intent = call.intent_number + 1
        key = operation_key(call.shop_id, call.reference, call.step, intent)
        return self.run(replace(call, key=key, intent_number=intent, attempt=call.attempt + 2))

    def payment(self, reference: str) -> Payment:
        return Payment.objects.get(saga_id=self.id(f"saga of {reference}"))

    def refund_row(self, reference: str) -> Refund:
        return Refund.objects.get(saga_id=self.id(f"saga of {reference}"))

    def story(self, reference: str) -> list[str]:
        """The facts published about a payment, in order."""
        return [r.type.removeprefix("payments.") for r in read(self.payment(reference).id)]

    def entries(self, reference: str) -> list[str]:
        """The kinds of the entries booked about a payment, in order."""
        booked = JournalEntry.objects.filter(payment_id=self.payment(reference).id).order_by("id")
        return [str(kind) for kind in booked.values_list("kind", flat=True)]
