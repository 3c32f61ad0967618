"""What payments tells of disputes, as orders takes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from orders.disputing.commands import DisputeNews, note_disputes
from payments import contract as payments
from sagas.bus import subscription
from sagas.log import Recorded, read_many

OF = (payments.DisputeOpened, payments.DisputeProgressed, payments.DisputeClosed)


@subscription("orders.disputes", of=OF)
def on_disputes(*, events: Sequence[Recorded], now: datetime) -> None:
    """A person is called, and nothing leaves. Of each dispute the last word counts, in whatever order they come."""
    told = {event.dispute_id for event in _facts(events)}
    streams = read_many(r.stream for r in events).values()
    latest = {
        event.dispute_id: event for stream in streams for event in _facts(stream) if event.dispute_id in told
    }
    note_disputes([(event.order_id, news_in(event)) for event in latest.values()], now=now)


def _facts(events: Iterable[Recorded]) -> list[payments.DisputeEvent]:
    return [r.event for r in events if isinstance(r.event, payments.DisputeEvent)]


def news_in(event: payments.DisputeEvent) -> DisputeNews:
    """How a dispute stands after an event."""
    match event:
        case payments.DisputeClosed(outcome=outcome):
            return DisputeNews(
                name=event.provider_dispute,
                stands="lost" if outcome == "lost" else "won",
                inquiry=event.inquiry,
            )
        case payments.DisputeProgressed(state="under_review"):
            return DisputeNews(name=event.provider_dispute, stands="review", inquiry=event.inquiry)
        case payments.DisputeOpened(evidence_due_by=due) | payments.DisputeProgressed(evidence_due_by=due):
            return DisputeNews(name=event.provider_dispute, stands="open", inquiry=event.inquiry, due=due)
    raise LookupError(f"no dispute stands anywhere after {type(event).__name__}")
