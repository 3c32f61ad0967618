"""Hold the money anew before the hold runs out, and let go of the one of both holds that is spare then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid5

from payments import contract, gateways
from payments.commands import renewals
from payments.commands.renewals import RenewalRow
from payments.commands.sheet import PaymentRow
from payments.gateways import base
from payments.gateways.base import IntentStatus
from payments.steps.answers import difference, found, intent_id, mismatch, surely, undecided
from payments.steps.authorize import AuthorizePayment
from sagas.steps import Ask, Continue, ExternalStep, StepCall, external_compensation, external_step
from sagas.verdicts import Answer, Done, Refused, Unknown

Outcome = Answer | Continue
#: There is nothing left to let go of.
OVER = (IntentStatus.VOIDED, IntentStatus.CAPTURED)


@external_step(
    contract.HOLD_ANEW,
    undo=contract.GIVE_UP_RENEWAL,
    provider="gateway",
    needs=("payment_method", "order_id", "order_reference"),
    wants=("in_shares",),
)
class HoldAnew(AuthorizePayment):
    """Done: a second hold is there, and one of both is spare. Refused: there is none, and the first stays.

    As in `AuthorizePayment` the intent is created unconfirmed and its id stored before it is confirmed.
    """

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        begun = zip(calls, renewals.begin_holds(calls), strict=True)
        return [_ask(call, *one) if isinstance(one, tuple) else one for call, one in begun]

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        return renewals.record_holds(answers, now=answers[0][0].now)

    def _creation(self, ask: Ask) -> base.CreateIntent:
        """Under the order's own reference, as the first."""
        about = {"order_id": str(ask.call.input["order_id"]), "shop_id": str(ask.call.shop_id)}
        reference = str(ask.call.input["order_reference"])
        return replace(super()._creation(ask), reference=reference, metadata=about)

    def _confirmation(self, ask: Ask) -> base.ConfirmIntent:
        """Nobody is there to act."""
        return replace(super()._confirmation(ask), return_url="", off_session=True)

    def _wait_for_customer(self, ask: Ask, intent: base.Intent) -> Answer:
        """A bank that wants the customer all the same has said no: the intent is let go, so that nobody acts late."""
        let_go = base.VoidIntent(
            key=ask.call.key, intent_id=intent.id, correlation_id=ask.call.correlation_id
        )
        gone = gateways.get_gateway().void(let_go)
        if isinstance(gone, base.Intent):
            return Refused(base.DECLINED, base.AUTHENTICATION_REQUIRED)
        return Unknown(gone.code, gone.detail)


def _ask(call: StepCall, renewal: RenewalRow, payment: PaymentRow) -> Ask:
    """What was made before is looked at before it is confirmed."""
    return Ask(call, {
        "intent_id": renewal.new_intent, "amount_minor": payment.amount_minor, "currency": payment.currency,
        "unknown": bool(renewal.new_intent), "action_until": None,
    })  # fmt: skip


class LettingGo(ExternalStep):
    """Done: the spare hold is gone. Refused: both were captured, and a person has to look."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        begun = zip(calls, renewals.begin_letting_go(calls), strict=True)
        return [_spare(call, *one) if isinstance(one, tuple) else one for call, one in begun]

    def ask(self, ask: Ask) -> Outcome:
        """Each attempt has its own key: a second void is harmless, a stored failure must not return."""
        call = ask.call
        key = uuid5(call.key, f"spare.{call.attempt}")
        request = base.VoidIntent(key=key, intent_id=intent_id(ask), correlation_id=call.correlation_id)
        result = surely(call, gateways.get_gateway().void(request))
        if isinstance(result, Refused) and result.code == base.ALREADY_CAPTURED:
            seen = self._look(ask)
            return self._judge(ask, seen) if isinstance(seen, base.Intent) else seen
        return self._judge(ask, result) if isinstance(result, base.Intent) else result

    def settle(self, ask: Ask) -> Outcome:
        seen = self._look(ask)
        if not isinstance(seen, base.Intent):
            return seen
        return self._judge(ask, seen) if seen.status in OVER else self.ask(ask)

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        return renewals.record_letting_go(answers, now=answers[0][0].now)

    def _look(self, ask: Ask) -> base.Intent | Answer:
        call = ask.call
        return found(
            call, gateways.get_gateway().retrieve(intent_id(ask), correlation_id=call.correlation_id)
        )

    def _judge(self, ask: Ask, intent: base.Intent) -> Outcome:
        if differs := difference(ask, intent):
            return mismatch(ask.call, differs)
        match intent.status:
            case IntentStatus.VOIDED:
                return Done({"intent_id": intent.id})
            case IntentStatus.CAPTURED:
                return Continue({"intent_id": intent.id, "captured_minor": intent.captured_minor})
            case _:
                return undecided(intent)


def _spare(call: StepCall, intent: str, payment: PaymentRow) -> Ask:
    return Ask(
        call, {"intent_id": intent, "amount_minor": payment.amount_minor, "currency": payment.currency}
    )


@external_step(contract.LET_GO_SPARE, provider="gateway")
class LetGoSpare(LettingGo):
    """After the renewal: the hold that the payment does not go by."""


@external_compensation(contract.GIVE_UP_RENEWAL, provider="gateway")
class GiveUpRenewal(LettingGo):
    """Instead of the renewal: the new hold, if one was made or may yet be; the old one where it was too late."""
