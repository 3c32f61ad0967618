"""Let the hold go. If the provider captured after all, that is given back: exactly one of the two."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid5

from payments import contract, gateways
from payments.commands import voids
from payments.gateways import base
from payments.gateways.base import IntentStatus
from payments.steps.answers import asks, difference, found, intent_id, mismatch, surely, undecided
from payments.steps.refund import PayBack
from sagas.steps import Ask, Continue, ExternalStep, StepCall, external_compensation
from sagas.verdicts import Answer, Done, Refused

Outcome = Answer | Continue


@external_compensation(contract.VOID_AUTHORIZATION, provider="gateway")
class VoidAuthorization(ExternalStep):
    """Done: nothing is held and nothing can be, or what was captured has gone back."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        return asks(calls, voids.begin_voids(calls))

    def ask(self, ask: Ask) -> Outcome:
        if (back := refund_of(ask)) is not None:
            return back.settle() if ask.payload["unknown"] else back.pay()
        return self.settle(ask) if ask.payload["unknown"] else self._void(ask)

    def settle(self, ask: Ask) -> Outcome:
        if (back := refund_of(ask)) is not None:
            return back.settle()
        intent = self._look(ask)
        if not isinstance(intent, base.Intent):
            return intent
        match intent.status:
            case IntentStatus.VOIDED:
                return Done()
            case IntentStatus.CAPTURED:
                return Continue({"captured_minor": intent.captured_minor})
            case _:
                return self._void(ask)

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        return voids.record_voids(answers, now=answers[0][0].now)

    def _void(self, ask: Ask) -> Outcome:
        """Each attempt has its own key: a second void is harmless, a stored failure must not return."""
        call = ask.call
        request = base.VoidIntent(
            key=uuid5(call.key, f"void.{call.attempt}"),
            intent_id=intent_id(ask),
            correlation_id=call.correlation_id,
        )
        result = surely(call, gateways.get_gateway().void(request))
        if isinstance(result, Refused) and result.code == base.ALREADY_CAPTURED:
            return self._captured(ask)
        if not isinstance(result, base.Intent):
            return result
        return Done() if result.status == IntentStatus.VOIDED else undecided(result)

    def _captured(self, ask: Ask) -> Outcome:
        intent = self._look(ask)
        if not isinstance(intent, base.Intent):
            return intent
        return Continue({"captured_minor": intent.captured_minor})

    def _look(self, ask: Ask) -> base.Intent | Answer:
        call = ask.call
        result = gateways.get_gateway().retrieve(intent_id(ask), correlation_id=call.correlation_id)
        intent = found(call, result)
        if isinstance(intent, base.Intent) and (differs := difference(ask, intent)):
            return mismatch(call, differs)
        return intent


def refund_of(ask: Ask) -> PayBack | None:
    """The refund a void has turned into, if it has."""
    if "refund_minor" in ask.payload:
        return PayBack.of(ask)
    if "refund_minor" not in ask.call.memo:
        return None
    memo = ask.call.memo
    return PayBack(
        ask.call, intent_id=intent_id(ask), amount_minor=memo["refund_minor"],
        currency=ask.payload["currency"], failures=memo["failures"],
    )  # fmt: skip
