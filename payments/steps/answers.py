"""What the steps share when they talk to the gateway: what is asked, and whether the answer can be true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from payments.commands.acting import deadlines
from payments.commands.attempts import MISMATCH
from payments.commands.refund_sheet import RefundRow
from payments.commands.sheet import PaymentRow
from payments.gateways import base
from payments.models import Payment, Refund
from sagas.steps import Ask, StepCall
from sagas.verdicts import Answer, Refused, Unavailable, Unknown, Waiting

Acted = TypeVar("Acted", base.Intent, base.Refund)
Read = TypeVar("Read", base.Intent, tuple[base.Refund, ...])

#: A mismatch is for a person; until one acts it is looked at again once a day.
LOOK_AGAIN = timedelta(days=1)
#: The provider is asked what it has before anything is asked of it.
TO_BE_ASKED = (Payment.State.UNKNOWN, Payment.State.REQUIRES_ACTION)


def asks(calls: Sequence[StepCall], begun: Sequence[PaymentRow | RefundRow | Answer]) -> list[Ask | Answer]:
    """Begun payments and refunds as questions; answers stay answers."""
    until = deadlines([b.id for b in begun if isinstance(b, PaymentRow) and b.state in TO_BE_ASKED])
    return [_ask(call, one, until) for call, one in zip(calls, begun, strict=True)]


def _ask(
    call: StepCall, begun: PaymentRow | RefundRow | Answer, until: Mapping[UUID, datetime]
) -> Ask | Answer:
    match begun:
        case PaymentRow():
            return Ask(call, {
                "intent_id": begun.provider_id, "amount_minor": begun.amount_minor,
                "currency": begun.currency, "unknown": begun.state in TO_BE_ASKED,
                "action_until": until.get(begun.id),
            })  # fmt: skip
        case RefundRow():
            return Ask(call, {
                "intent_id": begun.intent_id, "refund_minor": begun.amount_minor, "currency": begun.currency,
                "failures": begun.failures, "unknown": begun.state == Refund.State.UNKNOWN,
                "may_pay": begun.may_pay,
            })  # fmt: skip
        case _:
            return begun


def intent_id(ask: Ask) -> str:
    """The provider's name of the payment, once it is stored. Empty before."""
    return str(ask.payload["intent_id"] or ask.call.memo.get("provider_id", ""))


def mismatch(call: StepCall, detail: str) -> Waiting:
    """The provider said what cannot be. Nothing is applied; a person has to look."""
    return Waiting(MISMATCH, call.now + LOOK_AGAIN, detail)


def surely(call: StepCall, result: Acted | Refused | Unavailable | Unknown) -> Acted | Answer:
    """The result, with an answer that the adapter could not believe as a mismatch."""
    if isinstance(result, Unknown) and result.code == MISMATCH:
        return mismatch(call, result.detail)
    return result


def found(call: StepCall, result: Read | Refused | Unavailable) -> Read | Unknown | Waiting:
    """What a read found. Not to be told leaves the outcome unknown; to be told of nothing is a mismatch."""
    if isinstance(result, Unavailable):
        return Unknown(result.code, result.detail)
    if isinstance(result, Refused):
        return mismatch(call, f"the provider no longer knows it: {result.code} {result.detail}")
    return result


def difference(ask: Ask, intent: base.Intent) -> str:
    """How an intent differs from what was asked for, in id, amount or currency. Empty when it does not."""
    expected = (intent_id(ask), ask.payload.get("amount_minor", intent.amount_minor), ask.payload["currency"])
    got = (intent.id, intent.amount_minor, intent.currency)
    return "" if got == expected else f"asked for {expected}, told of {got}"


def undecided(intent: base.Intent) -> Unknown:
    """The provider has not made up its mind: it is asked again."""
    return Unknown(f"payments.{intent.status}")
