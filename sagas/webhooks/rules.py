"""What an answer does to a delivery and to its endpoint. Pure: rows and words in, rows out."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sagas.webhooks.call import Heard
from sagas.webhooks.models import WebhookDelivery

State = WebhookDelivery.State

HOUR = 3600.0
#: Seconds to wait after each failure, give or take a fifth. A delivery has one attempt more: about three days in all.
WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR)
#: An endpoint is asked to be left alone for so long at most.
LONGEST_RETRY_AFTER = HOUR
#: After so many failures in a row an endpoint rests: its deliveries wait, and one at a time is tried.
FAILURES_TO_REST = 5
FIRST_REST, LONGEST_REST = 30.0, HOUR
#: After so long with nothing but failures it is disabled.
DISABLE_AFTER = timedelta(days=5)

#: Our own trouble, not the endpoint's: nothing was sent. It burns no attempt.
NO_KEY, UNREADABLE = "no_key", "unreadable"
OURS = frozenset({NO_KEY, UNREADABLE})
OUR_WAIT = 300.0

GONE, FAILING, BY_HAND = "webhooks.gone", "webhooks.failing", "webhooks.by_hand"


@dataclass(frozen=True)
class Circuit:
    """How an endpoint has been doing: failures in a row, since when, and until when it is left alone."""

    failures: int = 0
    failing_since: datetime | None = None
    rest_until: datetime | None = None


@dataclass(frozen=True)
class Fate:
    """What becomes of a delivery. Without `wake_at` it has ended."""

    state: State
    failed: int
    wake_at: datetime | None


def fate_of(failed: int, heard: Heard, *, now: datetime, rng: random.Random) -> Fate:
    """What becomes of a delivery that had failed so often before."""
    if heard.ok:
        return Fate(State.DELIVERED, failed, None)
    if heard.outcome in OURS:
        return Fate(State.RETRYING, failed, now + timedelta(seconds=OUR_WAIT))
    if heard.outcome == "gone" or failed >= len(WAITS):
        return Fate(State.EXHAUSTED, failed + 1, None)
    wait = max(_about(WAITS[failed], rng), _asked_for(heard))
    return Fate(State.RETRYING, failed + 1, now + timedelta(seconds=wait))


def circuit_after(circuit: Circuit, heard: Heard, *, now: datetime, rng: random.Random) -> Circuit:
    """How an endpoint is doing after an answer. One success closes its circuit."""
    if heard.ok:
        return Circuit()
    if heard.outcome in OURS:
        return circuit
    failures = circuit.failures + 1
    wait = max(_rest(failures, rng), _asked_for(heard))
    until = now + timedelta(seconds=wait) if wait else None
    rest = max(filter(None, (until, circuit.rest_until)), default=None)
    return Circuit(failures, circuit.failing_since or now, rest)


def end_of(circuit: Circuit, heard: Heard, *, now: datetime) -> str:
    """Why an endpoint is to be disabled after an answer, empty if it is not."""
    if heard.outcome == "gone":
        return GONE
    since = circuit.failing_since
    return FAILING if not heard.ok and since is not None and now - since >= DISABLE_AFTER else ""


def calls_at_once(circuit: Circuit, most: int) -> int:
    """How many calls an endpoint may have under way: one while it fails."""
    return 1 if circuit.failures else most


def _rest(failures: int, rng: random.Random) -> float:
    if failures < FAILURES_TO_REST:
        return 0.0
    return _about(min(FIRST_REST * 2.0 ** min(failures - FAILURES_TO_REST, 20), LONGEST_REST), rng)


def _asked_for(heard: Heard) -> float:
    """What Retry-After says, where it means something."""
    if heard.status not in (429, 503) or heard.retry_after is None:
        return 0.0
    return min(heard.retry_after, LONGEST_RETRY_AFTER)


def _about(seconds: float, rng: random.Random) -> float:
    return seconds * rng.uniform(0.8, 1.2)
