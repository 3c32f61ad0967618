"""Hold the money. The intent is created unconfirmed and its id stored before it is confirmed.

So an unknown outcome is settled by retrieving that id. Until the id is stored nothing can be held, and a
void that comes then makes sure that nothing ever will be: it cancels the intent, or leaves a tombstone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import quote

from django.conf import settings

from payments import contract, gateways
from payments.commands import attempts
from payments.commands.acting import CustomerMustAct
from payments.gateways import base
from payments.gateways.base import IntentStatus
from payments.steps.answers import asks, difference, found, intent_id, mismatch, surely, undecided
from sagas.steps import Ask, Continue, ExternalStep, NotDone, StepCall, external_step
from sagas.verdicts import Answer, Done, Refused, Unavailable, Unknown

NO_ANSWER = "payments.no_answer"
#: A customer who has acted is mostly told of at once; should that get lost, it is seen so often.
LOOK_EVERY = timedelta(minutes=5)
Outcome = Answer | Continue


@external_step(
    contract.AUTHORIZE_PAYMENT,
    undo=contract.VOID_AUTHORIZATION,
    provider="gateway",
    needs=("payment_method",),
    wants=("in_shares",),
    gives=("payment_id",),
)
class AuthorizePayment(ExternalStep):
    """Done: the bank holds the whole amount. Refused: it will not. A decline is never tried again."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        return asks(calls, attempts.begin_authorizations(calls))

    def ask(self, ask: Ask) -> Outcome:
        if ask.payload["unknown"]:
            settled = self.settle(ask)
            if not isinstance(settled, NotDone):
                return settled
        return self._confirm(ask) if intent_id(ask) else self._create(ask)

    def settle(self, ask: Ask) -> Outcome:
        if intent_id(ask):
            return self._look(ask)
        if ask.call.cause:
            return NotDone()  # nothing was confirmed, and nothing will be: the saga has turned back
        created = self._create(ask)
        return NotDone() if isinstance(created, Unknown) else created

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        return attempts.record_authorizations(answers, now=answers[0][0].now)

    def _creation(self, ask: Ask) -> base.CreateIntent:
        call = ask.call
        return base.CreateIntent(
            key=call.key, reference=call.reference, amount_minor=ask.payload["amount_minor"],
            currency=ask.payload["currency"], payment_method=str(call.input["payment_method"]),
            metadata={"order_id": str(call.subject_id), "shop_id": str(call.shop_id)},
            in_shares=bool(call.input.get("in_shares")),
            correlation_id=call.correlation_id,
        )  # fmt: skip

    def _confirmation(self, ask: Ask) -> base.ConfirmIntent:
        call = ask.call
        return base.ConfirmIntent(
            key=call.key, intent_id=intent_id(ask), return_url=return_url(call),
            correlation_id=call.correlation_id,
        )  # fmt: skip

    def _create(self, ask: Ask) -> Outcome:
        """An unconfirmed intent holds nothing: without an answer it is made again, with the same key."""
        call = ask.call
        result = surely(call, gateways.get_gateway().create(self._creation(ask)))
        if isinstance(result, base.Intent):
            return Continue({"provider_id": result.id})
        if isinstance(result, Unknown) and result.code == NO_ANSWER:
            return Unavailable(result.code, result.detail)
        return result

    def _confirm(self, ask: Ask) -> Outcome:
        result = surely(ask.call, gateways.get_gateway().confirm(self._confirmation(ask)))
        if not isinstance(result, base.Intent):
            return result
        judged = self._judge(ask, result)
        return undecided(result) if isinstance(judged, NotDone) else judged

    def _look(self, ask: Ask) -> Outcome:
        call = ask.call
        result = gateways.get_gateway().retrieve(intent_id(ask), correlation_id=call.correlation_id)
        intent = found(call, result)
        return self._judge(ask, intent) if isinstance(intent, base.Intent) else intent

    def _judge(self, ask: Ask, intent: base.Intent) -> Answer:  # noqa: PLR0911 - one per status
        if differs := difference(ask, intent):
            return mismatch(ask.call, differs)
        match intent.status:
            case IntentStatus.AUTHORIZED if intent.capturable_minor != intent.amount_minor:
                return mismatch(ask.call, f"{intent.capturable_minor} held of {intent.amount_minor}")
            case IntentStatus.AUTHORIZED | IntentStatus.CAPTURED:
                return Done({"provider_id": intent.id, "expires_at": intent.expires_at})
            case IntentStatus.DECLINED:
                return Refused(base.DECLINED, intent.decline_code)
            case IntentStatus.VOIDED:
                return Refused(base.ALREADY_VOIDED)
            case IntentStatus.UNCONFIRMED:
                return NotDone()
            case IntentStatus.REQUIRES_ACTION:
                return self._wait_for_customer(ask, intent)
            case _:
                return undecided(intent)

    def _wait_for_customer(self, ask: Ask, intent: base.Intent) -> Answer:
        """F12: until the deadline the customer may act; then the intent is let go, so that nobody can any more."""
        call, until = ask.call, ask.payload["action_until"]
        deadline = until or call.now + timedelta(seconds=settings.WAYBILL.payment_action_seconds)
        if call.now < deadline:
            return CustomerMustAct(intent.action_url, deadline=deadline, look_at=call.now + LOOK_EVERY)
        let_go = base.VoidIntent(key=call.key, intent_id=intent.id, correlation_id=call.correlation_id)
        gone = gateways.get_gateway().void(let_go)
        if isinstance(gone, base.Intent):
            return Refused(base.ACTION_EXPIRED)
        return Unknown(gone.code, gone.detail)  # it is asked again what the customer did


def return_url(call: StepCall) -> str:
    """Where the customer is sent back to. `{reference}` in the setting is the order's."""
    return settings.WAYBILL.payment_return_url.replace("{reference}", quote(call.reference, safe=""))
