"""Take the money: the pivot. An intent is captured at most once, whoever asks and however often."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid5

from payments import contract, gateways
from payments.commands import captures
from payments.gateways import base
from payments.gateways.base import IntentStatus
from payments.steps.answers import asks, difference, found, intent_id, mismatch, surely, undecided
from sagas.steps import Ask, Continue, ExternalStep, NotDone, StepCall, external_step
from sagas.verdicts import Answer, Done, Refused

Outcome = Answer | Continue


@external_step(contract.CAPTURE_PAYMENT, provider="gateway", gives=("captured_minor",))
class CapturePayment(ExternalStep):
    """Done: the whole authorized amount is ours. Refused: it is not, and a void lets the hold go."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        return asks(calls, captures.begin_captures(calls))

    def ask(self, ask: Ask) -> Outcome:
        if ask.payload["unknown"]:
            settled = self.settle(ask)
            if not isinstance(settled, NotDone):
                return settled
        return self._capture(ask)

    def settle(self, ask: Ask) -> Outcome:
        call = ask.call
        result = gateways.get_gateway().retrieve(intent_id(ask), correlation_id=call.correlation_id)
        intent = found(call, result)
        return self._judge(ask, intent) if isinstance(intent, base.Intent) else intent

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        return captures.record_captures(answers, now=answers[0][0].now)

    def _capture(self, ask: Ask) -> Outcome:
        """A payment may go by another intent since it was last tried: a key is for one request."""
        call = ask.call
        request = base.CaptureIntent(
            key=uuid5(call.key, intent_id(ask)), intent_id=intent_id(ask),
            amount_minor=ask.payload["amount_minor"],
            correlation_id=call.correlation_id,
        )  # fmt: skip
        result = surely(call, gateways.get_gateway().capture(request))
        if isinstance(result, Refused) and result.code == base.ALREADY_VOIDED:
            return Refused(captures.EXPIRED, intent_id(ask))
        if not isinstance(result, base.Intent):
            return result
        judged = self._judge(ask, result)
        return undecided(result) if isinstance(judged, NotDone) else judged

    def _judge(self, ask: Ask, intent: base.Intent) -> Answer:
        if differs := difference(ask, intent):
            return mismatch(ask.call, differs)
        match intent.status:
            case IntentStatus.CAPTURED if intent.captured_minor != intent.amount_minor:
                return mismatch(ask.call, f"{intent.captured_minor} captured of {intent.amount_minor}")
            case IntentStatus.CAPTURED:
                return Done({"provider_id": intent.id, "amount_minor": intent.captured_minor})
            case IntentStatus.AUTHORIZED:
                return NotDone()
            case IntentStatus.VOIDED:
                return Refused(
                    captures.EXPIRED, intent.id
                )  # we did not let it go: our row stands at capturing
            case _:
                return undecided(intent)
