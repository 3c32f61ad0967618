"""What a person does about poison: pass over it, or deliver it again once its cause is mended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sagas import feed, log
from sagas.bus import Subscription, event_published, get_subscription
from sagas.log import Recorded, Token
from sagas.models import Checkpoint, ParkedEvent


def pass_over(sub: Subscription, checkpoint: Checkpoint) -> None:
    """Move a stopped checkpoint, locked by the caller, past the one event it stands before."""
    at = Token(checkpoint.era, checkpoint.xid, checkpoint.position)
    event, _ = feed.first(at, sub.types, shards=sub.shards, shard=checkpoint.shard)
    token = event.token if event is not None else at
    Checkpoint.objects.filter(subscription=sub.name, shard=checkpoint.shard).update(
        era=token.era, xid=token.xid, position=token.position, state=Checkpoint.State.RUNNING, error=""
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
