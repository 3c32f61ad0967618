"""The webhooks of payment gateways: where they come in, and how they are read.

What an event claims only decides whether there is anything to ask. If our rows stand where it says, or further, it
is old news. If a step is at work on the payment it is woken, and settles itself by asking. Else the provider is
asked here, and what it says is written down by one command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from payments import contract, gateways, queries
from payments.commands import disputes, findings
from payments.commands.attempts import MISMATCH
from payments.commands.findings import Finding
from payments.gateways.base import IntentStatus
from payments.gateways.events import Claim, read_claim, read_notice
from payments.news import Found, PaymentAsItStands, is_known, refund_meant
from payments.queries import RenewalAsItStands
from sagas.circuits import ask_through
from sagas.engine.wake import Standing, wake_steps
from sagas.inbox.reader import (
    Applied,
    Fate,
    Ignored,
    Incoming,
    Later,
    Question,
    Reader,
    Unmatched,
    register_reader,
)
from sagas.inbox.signing import TimedHmac, Verifier
from sagas.inbox.sources import Source, register_source
from sagas.verdicts import Refused, Unavailable

READ_INBOX = "inbox.payments"
SIGNATURE = "Stripe-Signature"
#: Gateways whose webhooks are taken, whichever is in use: what another one tells is not lost at once.
GATEWAYS = ("sandbox", "stripe")

PAYMENT_STEPS = (contract.AUTHORIZE_PAYMENT, contract.CAPTURE_PAYMENT, contract.VOID_AUTHORIZATION)
REFUND_STEPS = (contract.REFUND_PAYMENT, contract.VOID_AUTHORIZATION)
#: What a finding may come to without having changed anything.
NOTHING_NEW = {"known", "undecided", "not_ours", "nothing_found"}


class ReadInbox(Reader):
    """Reads what gateways told. See the module's docstring."""

    asks = gateways.RETRIEVE

    def look(self, messages: Sequence[Incoming], *, now: datetime) -> Sequence[Fate | Question]:
        del now
        claims = [read_claim(message.body) for message in messages]
        found = queries.find_told({claim.intent_id for claim in claims if claim.intent_id})
        open_to = partial(_is_open_to_news, found)
        fresh = [c for m, c in zip(messages, claims, strict=True) if _is_in_use(m.source) and open_to(c)]
        standing = _wake(found, fresh)
        strange = {c.intent_id for c in claims if c.intent_id} - set(found.payments)
        renewals = queries.renewals_told(strange)
        return [
            self._judge(found, standing, renewals, claim)
            if _is_in_use(message.source)
            else Later("gateway_not_in_use")
            for message, claim in zip(messages, claims, strict=True)
        ]

    def ask(self, question: Question) -> Any:
        return ask_about(question)

    def apply(self, answers: Sequence[tuple[Question, Any]], *, now: datetime) -> Sequence[Fate]:
        return apply_answers(answers, now=now)

    @staticmethod
    def _judge(
        found: Found, standing: dict[UUID, Standing], renewals: Mapping[str, RenewalAsItStands], claim: Claim
    ) -> Fate | Question:
        if claim.kind == "other":
            return Ignored("not_for_us")
        payment = found.payments.get(claim.intent_id)
        if payment is None:
            return _of_renewal(renewals.get(claim.intent_id), claim)
        if is_known(found, payment, claim):
            return Ignored("known")
        saga_id = _saga_at_work(found, claim)
        at_work = standing.get(saga_id) if claim.kind != "dispute" else None
        if at_work == "woken":
            return Applied("step_woken")
        if at_work == "busy":
            return Later("step_at_work")
        return _question(payment, claim)


def _of_renewal(renewal: RenewalAsItStands | None, claim: Claim) -> Fate:
    """News of a hold that its payment does not go by: while it is renewed they wait, later they are old.

    What was taken of a spare hold cannot be: the next reconciliation makes a case of it.
    """
    if renewal is None:
        return Unmatched("no_such_payment")
    if not renewal.ended:
        return Later("renewal_at_work")
    return Applied("spare_hold_captured") if claim.status == IntentStatus.CAPTURED else Ignored("spare_hold")


def _is_in_use(source: str) -> bool:
    """Whether this is the gateway that can be asked. What another one told waits for it to be in use again."""
    return source == f"payments.{settings.WAYBILL.payment_gateway}"


def _is_open_to_news(found: Found, claim: Claim) -> bool:
    payment = found.payments.get(claim.intent_id)
    return payment is not None and claim.kind in ("payment", "refund") and not is_known(found, payment, claim)


def _saga_at_work(found: Found, claim: Claim) -> UUID:
    """The saga that gives a refund back, or the one that the payment belongs to."""
    refund = refund_meant(found, claim)
    return refund.saga_id if refund is not None else found.payments[claim.intent_id].saga_id


def _wake(found: Found, claims: Sequence[Claim]) -> dict[UUID, Standing]:
    payments = {_saga_at_work(found, c) for c in claims if c.kind == "payment"}
    refunds = {r.saga_id for c in claims if c.kind == "refund" and (r := refund_meant(found, c)) is not None}
    return {**wake_steps(refunds, REFUND_STEPS), **wake_steps(payments, PAYMENT_STEPS)}


def _question(payment: PaymentAsItStands, claim: Claim) -> Question:
    payload: dict[str, Any] = {"saga_id": payment.saga_id, "intent_id": claim.intent_id}
    match claim.kind:
        case "refund":
            return Question(f"refund {claim.object_id}", payload | {"refund_id": claim.object_id})
        case "dispute":
            return question_about(payment.saga_id, claim.intent_id, claim.object_id)
        case _:
            return Question(f"payment {claim.intent_id}", payload | {"place": payment.place})


def question_about(payment_saga: UUID, intent_id: str, dispute_id: str) -> Question:
    """How a dispute of a payment stands."""
    payload = {"saga_id": payment_saga, "intent_id": intent_id, "dispute_id": dispute_id}
    return Question(f"dispute {dispute_id}", payload)


def ask_about(question: Question) -> Any:
    """Retrieve what a question is about, if the circuit lets it go. In a thread; nothing else is done here."""
    return ask_through(gateways.RETRIEVE, partial(_retrieve, question))


def _retrieve(question: Question) -> Any:
    payload, gateway = question.payload, gateways.get_gateway()
    if "refund_id" in payload:
        return gateway.retrieve_refund(payload["refund_id"])
    if "dispute_id" in payload:
        return gateway.retrieve_dispute(payload["dispute_id"])
    if "reference" in payload:
        listed = gateway.refunds_of(payload["intent_id"])
        if isinstance(listed, Unavailable):
            return listed
        return next((one for one in listed if one.reference == payload["reference"]), None)
    return gateway.retrieve(payload["intent_id"])


def apply_answers(answers: Sequence[tuple[Question, Any]], *, now: datetime) -> list[Fate]:
    """Write down what the gateway said. Not to be told leaves it for later."""
    told = [(question, answer) for question, answer in answers if not was_not_told(answer)]
    words = findings.record_findings([_finding(q, a) for q, a in told], now=now) if told else []
    fates: dict[str, Fate] = {q.about: _fate(word) for (q, _), word in zip(told, words, strict=True)}
    return [fates.get(question.about) or Later(answer.code) for question, answer in answers]


def was_not_told(answer: Any) -> bool:
    """Whether the provider could not be asked, or was not: nothing is known of the matter."""
    return isinstance(answer, Unavailable) and answer.code != MISMATCH


def _fate(word: str) -> Fate:
    if word in (findings.MOVED_MEANWHILE, disputes.NOT_YET):
        return Later(word)
    return Ignored(word) if word in NOTHING_NEW else Applied(word)


def _finding(question: Question, answer: Any) -> Finding:
    payload = question.payload
    saga_id: UUID = payload["saga_id"]
    if isinstance(answer, (Refused, Unavailable)):
        return Finding(saga_id=saga_id, nonsense=f"{answer.code} {answer.detail}".strip())
    if "refund_id" in payload or "reference" in payload:
        return Finding(saga_id=saga_id, refund=answer)
    if "dispute_id" in payload:
        return Finding(saga_id=saga_id, dispute=answer)

    place, share_saga = payload.get("place"), payload.get("share_saga")
    return Finding(saga_id=saga_id, intent=answer, place=place, share_saga=share_saga)


def _verifier() -> Verifier:
    return TimedHmac(settings.WAYBILL.payment_webhook_secrets, SIGNATURE)


register_reader(READ_INBOX, ReadInbox())
for _name in GATEWAYS:
    register_source(Source(name=f"payments.{_name}", verifier=_verifier, read=read_notice, reader=READ_INBOX))
