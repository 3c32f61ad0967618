"""Take a share of what is held, for one parcel; and at the end let go of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid5

from django.conf import settings

from payments import contract, gateways
from payments.commands import shares
from payments.commands.captures import EXPIRED
from payments.commands.share_outcome import Seen, in_words, seen
from payments.commands.shares import ShareRow
from payments.commands.sheet import PaymentRow
from payments.gateways import base
from payments.gateways.base import IntentStatus
from payments.models import Capture, Payment
from payments.steps.answers import difference, found, intent_id, mismatch, surely, undecided
from payments.steps.refund import PROVIDER_FAILED
from sagas.steps import Ask, Continue, ExternalStep, NotDone, StepCall, external_step
from sagas.verdicts import Answer, Done, Refused, Unavailable, Unknown, Waiting

Outcome = Answer | Continue


@external_step(
    contract.CAPTURE_SHARE, provider="gateway", needs=("paid_by", "share_minor"), gives=("captured_minor",)
)
class CaptureShare(ExternalStep):
    """Done: the share is ours. Refused: it is not, and will not be; the hold and other shares stay as they are."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        begun = shares.begin_shares(calls, final=not settings.WAYBILL.payment_multicapture)
        return [
            _ask(call, *one) if isinstance(one, tuple) else one
            for call, one in zip(calls, begun, strict=True)
        ]

    def ask(self, ask: Ask) -> Outcome:
        return self.settle(ask) if ask.payload["unknown"] else _still_open(self._capture(ask))

    def settle(self, ask: Ask) -> Outcome:
        return _still_open(self._settle(ask))

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        return shares.record_shares(answers, now=answers[0][0].now)

    def _settle(self, ask: Ask) -> Answer:
        """Look. If nothing was taken, ask again with the same key: the first request may only be slow.

        A provider that fails again has dealt with that key: if nothing was taken then, nothing will be.
        """
        before = self._seen(ask)
        if not isinstance(before, NotDone):
            return before
        again = self._capture(ask)
        if isinstance(again, Unknown) and again.code == PROVIDER_FAILED:
            return self._seen(ask)
        return Unknown(again.code, again.detail) if isinstance(again, Unavailable) else again

    def _seen(self, ask: Ask) -> Answer:
        intent = _look(ask)
        return self._judge(ask, intent) if isinstance(intent, base.Intent) else intent

    def _capture(self, ask: Ask) -> Answer:
        """Leave the rest held if that can be. Where it cannot, the share is taken alone and the hold ends with it.

        A repeat asks for the same in the same order, so that it meets the keys of the first.
        """
        final = ask.payload["final"]
        result = self._take(ask, final=final)
        if isinstance(result, Refused) and result.code == base.ONE_CAPTURE_ONLY and not final:
            result = self._take(ask, final=True)
        if isinstance(result, Refused) and result.code == base.ALREADY_VOIDED:
            return Refused(EXPIRED)
        if not isinstance(result, base.Intent):
            return result
        judged = self._judge(ask, result)
        return undecided(result) if isinstance(judged, NotDone) else judged

    @staticmethod
    def _take(ask: Ask, *, final: bool) -> base.Intent | Answer:
        """A key is for one request: since the last one the hold may have been renewed, or found to be captured once."""
        call = ask.call
        request = base.CaptureIntent(
            key=uuid5(call.key, f"{intent_id(ask)}|{final}"), intent_id=intent_id(ask),
            amount_minor=ask.payload["share_minor"], final=final, correlation_id=call.correlation_id,
        )  # fmt: skip
        return surely(call, gateways.get_gateway().capture(request))

    def _judge(self, ask: Ask, intent: base.Intent) -> Answer:
        if differs := difference(ask, intent):
            return mismatch(ask.call, differs)
        sums = {name: ask.payload[name] for name in ("before_minor", "share_minor")}
        match seen(intent, **sums):
            case Seen.TAKEN:
                closed = intent.status == IntentStatus.CAPTURED
                return Done({"captured_minor": sums["share_minor"], "closed": closed})
            case Seen.NOTHING:
                return NotDone()
            case Seen.GONE:
                return Refused(EXPIRED)  # we did not let it go: no share is taken once we do
            case Seen.CANNOT_BE:
                return mismatch(ask.call, in_words(intent, **sums))
            case Seen.UNDECIDED:
                return undecided(intent)


@external_step(contract.RELEASE_REST, provider="gateway", needs=("paid_by", "nothing_left"))
class ReleaseRest(ExternalStep):
    """Done: nothing is held that nobody will ship for. Of no effect while something is left to be paid."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        begun = shares.begin_releases(calls)
        return [
            _ask_to_release(call, one) if isinstance(one, PaymentRow) else one
            for call, one in zip(calls, begun, strict=True)
        ]

    def ask(self, ask: Ask) -> Outcome:
        return self.settle(ask) if ask.payload["unknown"] else self._let_go(ask)

    def settle(self, ask: Ask) -> Outcome:
        intent = _look(ask)
        if not isinstance(intent, base.Intent):
            return intent
        return self._let_go(ask) if intent.status == IntentStatus.AUTHORIZED else self._judge(ask, intent)

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        return shares.record_releases(answers, now=answers[0][0].now)

    def _let_go(self, ask: Ask) -> Outcome:
        """Each attempt has its own key: letting go twice is harmless, a stored failure must not return."""
        call, gateway = ask.call, gateways.get_gateway()
        who = {"intent_id": intent_id(ask), "correlation_id": call.correlation_id}
        key = uuid5(call.key, f"release.{call.attempt}")
        if ask.payload["captured_minor"]:
            result = gateway.release(base.ReleaseRest(key=key, **who))
        else:
            result = gateway.void(base.VoidIntent(key=key, **who))
        sure = surely(call, result)
        if isinstance(sure, Refused) and sure.code == base.ALREADY_CAPTURED:
            return mismatch(call, "captured, and not by us")
        return self._judge(ask, sure) if isinstance(sure, base.Intent) else sure

    @staticmethod
    def _judge(ask: Ask, intent: base.Intent) -> Answer:
        captured = ask.payload["captured_minor"]
        if differs := difference(ask, intent):
            return mismatch(ask.call, differs)
        if intent.status == (IntentStatus.CAPTURED if captured else IntentStatus.VOIDED):
            told = intent.captured_minor
            return Done() if told == captured else mismatch(ask.call, f"{told} captured, {captured} by us")
        if intent.status in (IntentStatus.CAPTURED, IntentStatus.VOIDED):
            return mismatch(ask.call, f"{intent.status} with {intent.captured_minor} captured")
        return undecided(intent)


def _ask(call: StepCall, payment: PaymentRow, share: ShareRow) -> Ask:
    return Ask(call, {
        "intent_id": payment.provider_id, "amount_minor": payment.amount_minor, "currency": payment.currency,
        "share_minor": share.amount_minor, "before_minor": share.before_minor,
        "unknown": share.state == Capture.State.UNKNOWN, "final": share.final,
    })  # fmt: skip


def _ask_to_release(call: StepCall, payment: PaymentRow) -> Ask:
    return Ask(call, {
        "intent_id": payment.provider_id, "amount_minor": payment.amount_minor, "currency": payment.currency,
        "captured_minor": payment.captured_minor, "unknown": payment.state == Payment.State.UNKNOWN,
    })  # fmt: skip


def _still_open(answer: Answer) -> Answer:
    """What cannot be leaves the outcome open: a step that waits may be given up, and nothing takes a share back."""
    return Unknown(answer.code, answer.detail) if isinstance(answer, Waiting) else answer


def _look(ask: Ask) -> base.Intent | Answer:
    result = gateways.get_gateway().retrieve(intent_id(ask), correlation_id=ask.call.correlation_id)
    return found(ask.call, result)
