"""What a person does about events: pass over one, or have some delivered again once their cause is mended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sagas import feed, log
from sagas.bus import Subscription, event_published, get_subscription
from sagas.log import Recorded, Token
from sagas.models import Checkpoint, ParkedEvent, Saga
from sagas.rebuild.rows import SkippedEvent


def pass_over(sub: Subscription, checkpoint: Checkpoint, *, actor: str, reason: str, now: datetime) -> None:
    """Move a stopped checkpoint, locked by the caller, past the one event it stands before.

    The event is remembered: no build of this projection takes it in either.
    """
    at = Token(checkpoint.era, checkpoint.xid, checkpoint.position)
    event, *_ = feed.first(at, sub.types, shards=sub.shards, shard=checkpoint.shard, unled=sub.unled)
    if event is not None:
        SkippedEvent.objects.create(
            subscription=sub.name, stream=event.stream, version=event.version, **event.token._asdict(),
            error=checkpoint.error, actor=actor[:100], reason=reason[:500], skipped_at=now,
        )  # fmt: skip
    _run_from(checkpoint, event.token if event is not None else at)


def try_again(_sub: Subscription, checkpoint: Checkpoint) -> None:
    """Let a stopped reader, locked by the caller, meet the same event once more."""
    _run_from(checkpoint, Token(checkpoint.era, checkpoint.xid, checkpoint.position))


def _run_from(checkpoint: Checkpoint, token: Token) -> None:
    Checkpoint.objects.filter(subscription=checkpoint.subscription, shard=checkpoint.shard).update(
        **token._asdict(), state=Checkpoint.State.RUNNING, error=""
    )


def deliver_again(parked: Sequence[ParkedEvent], *, now: datetime) -> None:
    """Send parked events, in the order of their streams, in the caller's transaction. An error rolls all back."""
    streams = log.read_many({p.stream for p in parked})
    for name in sorted({p.subscription for p in parked}):
        wanted = {(p.stream, p.version) for p in parked if p.subscription == name}
        events: list[Recorded] = [
            e for stream in sorted(streams) for e in streams[stream] if (e.stream, e.version) in wanted
        ]
        event_published.send(sender=get_subscription(name), events=events, now=now)


def deliver_heard(sub: Subscription, sagas: Sequence[Saga], *, now: datetime) -> None:
    """Send what was told of choreographed sagas to one reaction again, in the caller's transaction."""
    streams = log.read_many({stream for saga in sagas for stream in _streams(saga)})
    events = [e for stream in sorted(streams) for e in streams[stream] if e.type in sub.types]
    if events:
        event_published.send(sender=sub, events=sorted(events, key=lambda e: e.token), now=now)


def _streams(saga: Saga) -> set[UUID]:
    """The streams of a saga's subject, of what its steps made, and of every event that was heard."""
    made = [value for name, value in saga.context.items() if name.endswith("_id") and value]
    heard = [stream for _, stream, _ in saga.context.get("heard", [])]
    return {saga.subject_id, saga.pk, *(UUID(str(value)) for value in (*made, *heard))}
