"""What a carrier's webhook claims: `shipment.scanned`, as docs/carriers.md has it. Pure.

Nothing here is the truth. It says which parcel to ask about, and lets what we know already be passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sagas.inbox.sources import Notice, Unreadable, event_in
from shipping.models import Shipment

ENDED = (Shipment.State.DELIVERED, Shipment.State.RETURNED)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One scan that a carrier claims, by its own id of the parcel and its own clock."""

    carrier_id: str
    status: str
    at: datetime


@dataclass(frozen=True)
class Stands:
    """How far a parcel of ours has come."""

    carrier_id: str
    state: str
    progress: str
    progress_at: datetime | None


def read_notice(body: bytes) -> Notice:
    """What is stored of an event. Raises Unreadable when it is none."""
    event, claim = event_in(body), read_claim(body)
    return Notice(
        event_id=_text(event, "id"), type=_text(event, "type"), object_id=claim.carrier_id,
        meaning=f"{claim.status} {claim.at.timestamp():.0f}", occurred_at=_moment(event, "created"),
    )  # fmt: skip


def read_claim(body: bytes) -> Claim:
    """What an event claims. Raises Unreadable."""
    said = event_in(body)["data"]["object"]
    return Claim(carrier_id=_text(said, "id"), status=_text(said, "status"), at=_moment(said, "at"))


def is_known(stands: Stands, claim: Claim) -> bool:
    """Whether our row stands where the claim says, or further."""
    if stands.state in ENDED:
        return True
    if stands.progress_at is None or claim.status in ENDED:
        return False
    return claim.at < stands.progress_at or (claim.at, claim.status) == (stands.progress_at, stands.progress)


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is no text")
    return value


def _moment(said: dict[str, Any], name: str) -> datetime:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**36:
        raise Unreadable(f"{name} is no moment")
    return datetime.fromtimestamp(value, UTC)
