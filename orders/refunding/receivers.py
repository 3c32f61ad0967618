"""What payments tells of refunds that somebody asked for: shown where it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from orders.refunding import requests
from payments import contract as payments
from sagas.bus import subscription
from sagas.events import Event
from sagas.log import Recorded


@subscription(
    "orders.refund_requests", of=(payments.RefundFailed, payments.RefundReturned, payments.RefundRepaid)
)
def on_refunds(*, events: Sequence[Recorded], now: datetime) -> None:
    """What could not be paid, or came back, shows as owed; what was paid another way does not."""
    requests.lock(_sagas(events, Event))
    requests.note_failed(_sagas(events, payments.RefundFailed), now=now)
    requests.note_returned(_sagas(events, payments.RefundReturned), now=now)
    requests.note_repaid(_sagas(events, payments.RefundRepaid), now=now)


def _sagas(events: Sequence[Recorded], kind: type[Event]) -> list[UUID]:
    """The sagas that events of a kind name. Events from before they named one are about no request."""
    told = (r.event for r in events if isinstance(r.event, kind))
    return [saga for event in told if (saga := getattr(event, "saga_id")) is not None]  # noqa: B009
