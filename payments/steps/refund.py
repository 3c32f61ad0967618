"""Give captured money back, once. What cannot go through the provider is owed as customer credit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid5

from payments import contract, gateways
from payments.commands import refunds
from payments.gateways import base
from payments.gateways.base import RefundStatus
from payments.steps.answers import asks, found, mismatch, surely
from sagas.steps import Ask, Continue, ExternalStep, NotDone, StepCall, external_step
from sagas.verdicts import Answer, Done, Refused, Unknown, Waiting

PENDING = "payments.refund_pending"
PROVIDER_FAILED = "payments.provider_failed"
#: A pending refund may take days; it is looked at again once an hour.
LOOK_AGAIN = timedelta(hours=1)
Outcome = Answer | Continue


@external_step(
    contract.REFUND_PAYMENT,
    provider="gateway",
    needs=("order_id", "refund_minor", "credit_minor"),
    gives=("refund_id", "refunded_minor", "credited_minor"),
)
class RefundPayment(ExternalStep):
    """Done: what could go back has gone back, the rest is owed; or a bank had taken it. Refused: it is owed, a person
    finds a way. Waiting, while a bank decides about the payment.
    """

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        return asks(calls, refunds.begin_refunds(calls))

    def ask(self, ask: Ask) -> Outcome:
        back = PayBack.of(ask)
        return back.settle() if ask.payload["unknown"] else back.pay()

    def settle(self, ask: Ask) -> Outcome:
        return PayBack.of(ask).settle()

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        return refunds.record_refunds(answers, now=answers[0][0].now)


class PayBack:
    """One refund as it is put to the gateway. Its key changes only after a proven failure."""

    def __init__(
        self, call: StepCall, *, intent_id: str, amount_minor: int, currency: str, failures: int,
        may_pay: bool = True,
    ) -> None:  # fmt: skip
        self.call, self.may_pay = call, may_pay
        self.intent_id, self.amount_minor, self.currency = intent_id, amount_minor, currency
        self.key: UUID = uuid5(call.key, f"refund.{failures}")

    @classmethod
    def of(cls, ask: Ask) -> PayBack:
        """The refund that was begun."""
        return cls(
            ask.call, intent_id=ask.payload["intent_id"], amount_minor=ask.payload["refund_minor"],
            currency=ask.payload["currency"], failures=ask.payload["failures"],
            may_pay=ask.payload["may_pay"],
        )  # fmt: skip

    def pay(self) -> Answer:
        """Ask for it. Safe to repeat: same key, same refund."""
        request = base.RefundIntent(
            key=self.key, intent_id=self.intent_id, amount_minor=self.amount_minor,
            reference=self.call.reference, correlation_id=self.call.correlation_id,
        )  # fmt: skip
        result = surely(self.call, gateways.get_gateway().refund(request))
        return self._judge(result) if isinstance(result, base.Refund) else result

    def settle(self) -> Answer:
        """Look for it among the payment's refunds. If it is not there, ask again with the same key, if it may be paid.

        A provider that fails again has dealt with that key: if it is still not there, it never will be.
        """
        seen = self._look()
        if not isinstance(seen, NotDone) or not self.may_pay:
            return seen
        again = self.pay()
        if isinstance(again, Unknown) and again.code == PROVIDER_FAILED:
            return self._look()
        return again

    def _look(self) -> Answer:
        result = gateways.get_gateway().refunds_of(self.intent_id, correlation_id=self.call.correlation_id)
        listed = found(self.call, result)
        if not isinstance(listed, tuple):
            return listed
        ours = next((refund for refund in listed if refund.key == str(self.key)), None)
        return self._judge(ours) if ours else NotDone()

    def _judge(self, refund: base.Refund) -> Answer:
        expected = (self.intent_id, self.amount_minor, self.currency)
        got = (refund.intent_id, refund.amount_minor, refund.currency)
        if got != expected:
            return mismatch(self.call, f"asked for {expected}, told of {got}")
        match refund.status:
            case RefundStatus.SUCCEEDED:
                return Done({"provider_id": refund.id})
            case RefundStatus.PENDING:
                return Waiting(PENDING, self.call.now + LOOK_AGAIN, refund.id)
            case _:
                return Refused(base.REFUND_FAILED, refund.failure_code)
