"""Renewing the authorization of a payment, as the business reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from payments.commands import renewals
from payments.contract import HOLD_ANEW, LET_GO_SPARE, RENEW_AUTHORIZATION
from sagas.definition import SagaDefinition, SagaNote, compensatable, retriable


def call_attention(notes: Sequence[SagaNote], now: datetime) -> None:
    """A parked renewal is told of, so that it shows on its order."""
    renewals.call_attention({note.subject_id: note.reason or "parked" for note in notes}, now=now)


RENEWAL = SagaDefinition(
    RENEW_AUTHORIZATION,
    version=1,
    steps=[compensatable(HOLD_ANEW), retriable(LET_GO_SPARE)],
    context=("payment_method", "order_id", "order_reference"),
    deadline=timedelta(days=1),
    attention=call_attention,
    countermeasures={
        "reread value": "Which of both holds the payment goes by is decided under its row lock: whoever moved it out"
        " of authorized first has decided for the old one.",
        "commutative updates": "Letting go is the same act going forward and back: of whichever hold is spare then.",
        "version file": "An undo may come before the new hold is known: the dropped renewal is the tombstone it runs"
        " into.",
    },
)
