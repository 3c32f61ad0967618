"""The reader that turns events into deliveries. While no shop has an endpoint it passes by and reads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sagas.bus import subscription
from sagas.log import Recorded
from sagas.sql import rows
from sagas.webhooks.offered import offered
from sagas.webhooks.queueing import LISTED_WHILE_DISABLED, queue

#: How often to look: the wait of a webhook behind its event, and the size of a batch.
EVERY_SECONDS = 1.0

ASKED = """
SELECT id, shop_id, event_types, state = 'enabled', asked_era, asked_xid FROM webhooks_endpoint
 WHERE shop_id = ANY(%s::uuid[]) AND deleted_at IS NULL AND (state = 'enabled' OR state_since > %s)
"""


@subscription(
    "webhooks.fan_out", of=offered(), every=EVERY_SECONDS,
    wanted_by="SELECT FROM webhooks_endpoint WHERE deleted_at IS NULL",
)  # fmt: skip
def fan_out(*, events: Sequence[Recorded], now: datetime) -> None:
    """Queue events for the endpoints that asked for them: one look and one statement, whatever the number."""
    shops = {event.event.shop_id for event in events}  # type: ignore[attr-defined]  # registered for shops
    endpoints: dict[UUID, list[_Asked]] = {}
    for row in rows(ASKED, [list(shops), now - LISTED_WHILE_DISABLED]):
        endpoints.setdefault(row[1], []).append(_Asked(row))
    if pairs := list(_pairs(events, endpoints)):
        queue(pairs, now=now)


class _Asked:
    """What one endpoint asked for."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.id, _, types, self.enabled, *since = row
        self._types, self._since = frozenset(types), tuple(since)

    def wants(self, event: Recorded) -> bool:
        return event.token[:2] >= self._since and (not self._types or event.type in self._types)


def _pairs(
    events: Sequence[Recorded], endpoints: dict[UUID, list[_Asked]]
) -> Iterator[tuple[UUID, bool, Recorded]]:
    for event in events:
        for endpoint in endpoints.get(event.event.shop_id, ()):  # type: ignore[attr-defined]
            if endpoint.wants(event):
                yield endpoint.id, endpoint.enabled, event
