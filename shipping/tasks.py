"""The webhooks of carriers: where they come in, and how they are read.

A webhook is a doorbell. If our row stands where it says, or further, it is old news. Else the carrier is asked for the
whole story of the parcel, and that is written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings

from sagas.circuits import ask_through
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
from sagas.verdicts import Refused
from shipping import commands, queries
from shipping.carriers import TRACK, get_carrier
from shipping.carriers.base import Tracking
from shipping.commands.tracking import scans_of
from shipping.scans import Stands, is_known, read_claim, read_notice

logger = structlog.get_logger(__name__)

READ_INBOX = "inbox.shipping"
SIGNATURE = "Carrier-Signature"
#: Carriers whose webhooks are taken, whichever is in use.
CARRIERS = ("sandbox", "http")


class ReadInbox(Reader):
    """Reads what carriers told. See the module's docstring."""

    asks = TRACK

    def look(self, messages: Sequence[Incoming], *, now: datetime) -> Sequence[Fate | Question]:
        del now
        claims = [read_claim(message.body) for message in messages]
        found = {stands.carrier_id: stands for stands in queries.standing({c.carrier_id for c in claims})}
        return [
            self._judge(found.get(claim.carrier_id), message, claim)
            for message, claim in zip(messages, claims, strict=True)
        ]

    @staticmethod
    def _judge(stands: Stands | None, message: Incoming, claim: Any) -> Fate | Question:
        if message.source != f"shipping.{settings.WAYBILL.carrier}":
            return Later("carrier_not_in_use")
        if stands is None:
            return Unmatched("no_such_parcel")
        if is_known(stands, claim):
            return Ignored("known")
        return Question(f"parcel {claim.carrier_id}", {"carrier_id": claim.carrier_id})

    def ask(self, question: Question) -> Any:
        return ask_through(TRACK, lambda: get_carrier().track(question.payload["carrier_id"]))

    def apply(self, answers: Sequence[tuple[Question, Any]], *, now: datetime) -> Sequence[Fate]:
        told = [answer for _, answer in answers if isinstance(answer, Tracking)]
        commands.record_scans([scan for one in told for scan in scans_of(one)], now=now)
        return [_fate(question, answer) for question, answer in answers]


def _fate(question: Question, answer: Any) -> Fate:
    if isinstance(answer, Tracking):
        return Applied("scanned")
    if isinstance(answer, Refused):
        logger.error("parcel_unknown_to_carrier", label=question.payload["carrier_id"], code=answer.code)
        return Ignored(answer.code)
    return Later(answer.code)


def _verifier() -> Verifier:
    return TimedHmac(settings.WAYBILL.carrier_webhook_secrets, SIGNATURE)


register_reader(READ_INBOX, ReadInbox())
for _name in CARRIERS:
    register_source(Source(name=f"shipping.{_name}", verifier=_verifier, read=read_notice, reader=READ_INBOX))
