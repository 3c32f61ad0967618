"""Every read of endpoints and deliveries for a shop. What is another shop's is not there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint


@dataclass(frozen=True)
class DeliveryFilters:
    """Which deliveries are wanted. Empty: all. Times are those of the events, `until` not included."""

    state: str = ""
    type: str = ""
    since: datetime | None = None
    until: datetime | None = None


def list_endpoints(shop_id: UUID) -> QuerySet[WebhookEndpoint]:
    """The shop's endpoints, newest first."""
    return WebhookEndpoint.objects.filter(shop_id=shop_id, deleted_at=None).order_by("-id")


def get_endpoint(endpoint_id: UUID, shop_id: UUID) -> WebhookEndpoint | None:
    """One endpoint of the shop."""
    return list_endpoints(shop_id).filter(pk=endpoint_id).first()


def list_deliveries(
    endpoint_id: UUID, wanted: DeliveryFilters, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[WebhookDelivery]:
    """What was or is to be sent to an endpoint, newest events first, behind `after`, at most `limit`."""
    found = WebhookDelivery.objects.filter(endpoint_id=endpoint_id)
    for name, value in (("state", wanted.state), ("type", wanted.type)):
        found = found.filter(**{name: value}) if value else found
    found = found.filter(event_at__gte=wanted.since) if wanted.since else found
    found = found.filter(event_at__lt=wanted.until) if wanted.until else found
    if after:
        found = found.filter(Q(event_at__lt=after[0]) | Q(event_at=after[0], id__lt=after[1]))
    return list(found.order_by("-event_at", "-id").defer("history")[:limit])


def get_delivery(delivery_id: UUID, shop_id: UUID) -> WebhookDelivery | None:
    """One delivery of the shop, with its attempts."""
    wanted = WebhookDelivery.objects.filter(
        pk=delivery_id, endpoint__shop_id=shop_id, endpoint__deleted_at=None
    )
    return wanted.first()
