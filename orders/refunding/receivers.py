"""What payments tells of refunds that somebody asked for: shown where it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from orders.refunding import requests
from payments import contract as payments
from sagas.bus import subscription
from sagas.log import Recorded


@subscription(
    "orders.refund_requests",
    of=(payments.RefundFailed, payments.RefundReturned, payments.RefundRefused, payments.RefundRepaid),
)
def on_refunds(*, events: Sequence[Recorded], now: datetime) -> None:
    """What could not be paid, or came back, shows as owed; what was paid another way, or a bank has taken, does not."""
    requests.lock(list(_amounts(events, payments.PaymentEvent)))
    failed = [r.event for r in events if isinstance(r.event, payments.RefundFailed)]
    requests.note_failed({e.saga_id: (e.amount_minor, e.refund_id) for e in failed if e.saga_id}, now=now)
    requests.note_returned(_amounts(events, payments.RefundReturned), now=now)
    requests.note_refused(_amounts(events, payments.RefundRefused), now=now)
    requests.note_repaid(list(_amounts(events, payments.RefundRepaid)), now=now)


def _amounts(events: Sequence[Recorded], kind: type[payments.PaymentEvent]) -> dict[UUID, int]:
    """The amounts of events of a kind, by the saga they name. One from before they named any is about no request."""
    told = (r.event for r in events if isinstance(r.event, kind))
    return {saga: event.amount_minor for event in told if (saga := getattr(event, "saga_id")) is not None}  # noqa: B009
