"""A shop with endpoints, events about it, and the sending of them, for tests."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from orders.contract import OrderConfirmed, OrderNeedsAttention
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.webhooks import commands
from sagas.webhooks.commands import Who
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint
from sagas.webhooks.send import send
from tests.sagas.webhooks.receiver import Receiver

STAFF = Who("ada", "a test")


class Even(random.Random):
    """No jitter: a wait is what the table says."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


@dataclass
class Shop:
    """One shop. Its orders are streams of the log and nothing else: webhooks know no orders."""

    id: UUID = field(default_factory=uuid7)

    def listens(self, receiver: Receiver | str, *event_types: str) -> WebhookEndpoint:
        """An endpoint of the shop."""
        url = receiver if isinstance(receiver, str) else receiver.url
        with transaction.atomic():
            return commands.create_endpoint(
                self.id, url=url, event_types=list(event_types), who=STAFF, now=database_now()
            )

    def confirms(self, number: int = 1, *, now: datetime | None = None) -> list[UUID]:
        """So many orders are confirmed, in one transaction."""
        orders = [uuid7() for _ in range(number)]
        events = [Append(o, 1, OrderConfirmed(order_id=o, shop_id=self.id)) for o in orders]
        with transaction.atomic():
            publish(events, now=now or database_now())
        return orders

    def worries(self) -> None:
        """Something happens that is none of the shop's business."""
        order = uuid7()
        event = OrderNeedsAttention(order_id=order, shop_id=self.id, reason="r", on_hold=False, owner="staff")
        with transaction.atomic():
            publish([Append(order, 1, event)], now=database_now())


def fan_out() -> int:
    """Let the reader take in what is settled."""
    return deliver("webhooks.fan_out", now=database_now)


def send_now(**options: Any) -> int:
    """Send what is due, once each."""
    return send(seconds=0.05, rng=Even(), **options)


def states(endpoint: WebhookEndpoint | None = None) -> list[str]:
    """Of deliveries, in the order of the log."""
    wanted = WebhookDelivery.objects.order_by("id")
    return [d.state for d in (wanted.filter(endpoint=endpoint) if endpoint else wanted)]


def only_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get()


def make_due(deliveries: Sequence[WebhookDelivery] | None = None) -> None:
    """As if the wait were over."""
    wanted = WebhookDelivery.objects.filter(wake_at__isnull=False)
    if deliveries is not None:
        wanted = wanted.filter(pk__in=[d.pk for d in deliveries])
    wanted.update(wake_at=database_now())
    WebhookEndpoint.objects.update(rest_until=None)
