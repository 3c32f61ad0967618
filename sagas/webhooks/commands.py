"""Every write that somebody asks for: endpoints, their secrets, tests. Each leaves one event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sagas.log import Append, publish, read
from sagas.sql import execute
from sagas.verdicts import Refused
from sagas.webhooks import contract
from sagas.webhooks.contract import EndpointChanged, EndpointTested
from sagas.webhooks.ending import disable_locked
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint
from sagas.webhooks.offered import offered_types
from sagas.webhooks.queueing import LISTED_WHILE_DISABLED, queue
from sagas.webhooks.rules import BY_HAND
from sagas.webhooks.signing import newest_key

State = WebhookEndpoint.State

#: A shop has so many endpoints at most.
MOST_ENDPOINTS = 20

# From this transaction on: what committed before it, or began before it and commits later, is not asked for.
ASK_FROM_HERE = """
UPDATE webhooks_endpoint
   SET asked_era = (SELECT max(era) FROM sagas_era), asked_xid = pg_current_xact_id()::text::bigint
 WHERE id = %s
"""


class EndpointNotFound(Refused):
    """There is no such endpoint, or it is another shop's."""

    code = "webhooks.not_found"


class TooManyEndpoints(Refused):
    """The shop has as many endpoints as it may have."""

    code = "webhooks.too_many_endpoints"


class UnknownEventType(Refused):
    """Shops are not told of events of this type."""

    code = "webhooks.unknown_event_type"


class EndpointIsDisabled(Refused):
    """Nothing is sent to it. Enable it first."""

    code = "webhooks.endpoint_disabled"


@dataclass(frozen=True)
class Who:
    """On whose behalf something is done, and why."""

    actor: str
    reason: str = ""
    correlation_id: str = ""


def create_endpoint(
    shop_id: UUID, *, url: str, event_types: list[str], description: str = "", who: Who, now: datetime
) -> WebhookEndpoint:
    """Begin to tell a shop of events. The address must have been checked. Raises UnknownEventType, TooManyEndpoints."""
    check_types(event_types)
    if WebhookEndpoint.objects.filter(shop_id=shop_id, deleted_at=None).count() >= MOST_ENDPOINTS:
        raise TooManyEndpoints(detail=f"A shop has {MOST_ENDPOINTS} endpoints at most.")
    endpoint = WebhookEndpoint.objects.create(
        shop_id=shop_id, url=url, event_types=sorted(set(event_types)), description=description,
        state_since=now, secret_key=newest_key(), made_at=now,
    )  # fmt: skip
    execute(ASK_FROM_HERE, [endpoint.pk])
    tell(endpoint, contract.CREATED, who=who, now=now)
    return endpoint


def check_types(event_types: list[str]) -> None:
    """Raises UnknownEventType for a type that is not offered to shops."""
    if unknown := sorted(set(event_types) - set(offered_types())):
        raise UnknownEventType(detail=f"Shops are not told of {', '.join(unknown)[:300]}.")


def update_endpoint(
    endpoint_id: UUID, *, shop_id: UUID, changes: dict[str, Any], who: Who, now: datetime
) -> WebhookEndpoint:
    """Change address, description or event types. Other types are asked for from here on. Raises EndpointNotFound.

    An address that is changed must have been checked.
    """
    endpoint = locked(endpoint_id, shop_id=shop_id)
    changed = {name: value for name, value in changes.items() if getattr(endpoint, name) != value}
    if not changed:
        return endpoint
    check_types(changed.get("event_types", []))
    for name, value in changed.items():
        setattr(endpoint, name, value)
    endpoint.save(update_fields=list(changed))
    if "event_types" in changed:
        execute(ASK_FROM_HERE, [endpoint.pk])
    tell(endpoint, contract.UPDATED, who=who, now=now)
    return endpoint


def enable_endpoint(endpoint_id: UUID, *, shop_id: UUID | None, who: Who, now: datetime) -> WebhookEndpoint:
    """Send to it again, as if nothing had ever failed. What it missed meanwhile can be replayed. Safe to repeat."""
    endpoint = locked(endpoint_id, shop_id=shop_id)
    if endpoint.state == State.ENABLED:
        return endpoint
    if now - endpoint.state_since >= LISTED_WHILE_DISABLED:  # what came after that is not accounted for
        execute(ASK_FROM_HERE, [endpoint.pk])
        endpoint.refresh_from_db(fields=["asked_era", "asked_xid"])
    endpoint.state, endpoint.state_code, endpoint.state_since = State.ENABLED, "", now
    endpoint.failures, endpoint.failing_since, endpoint.rest_until = 0, None, None
    endpoint.save()
    tell(endpoint, contract.ENABLED, who=who, now=now)
    return endpoint


def disable_endpoint(endpoint_id: UUID, *, shop_id: UUID | None, who: Who, now: datetime) -> WebhookEndpoint:
    """Send nothing to it any more. Safe to repeat. Raises EndpointNotFound."""
    endpoint = locked(endpoint_id, shop_id=shop_id)
    if endpoint.state == State.ENABLED:
        disable_locked(
            endpoint.pk, endpoint.shop_id, code=BY_HAND, now=now, actor=who.actor, reason=who.reason
        )
        endpoint.refresh_from_db()
    return endpoint


def rotate_secret(
    endpoint_id: UUID, *, shop_id: UUID, previous_for: timedelta, who: Who, now: datetime
) -> WebhookEndpoint:
    """Give it a new secret. For `previous_for` messages are signed by the one before as well."""
    endpoint = locked(endpoint_id, shop_id=shop_id)
    keep = previous_for > timedelta(0)
    endpoint.previous_number = endpoint.secret_number if keep else None
    endpoint.previous_key = endpoint.secret_key if keep else ""
    endpoint.previous_until = now + previous_for if keep else None
    endpoint.secret_number, endpoint.secret_key = endpoint.secret_number + 1, newest_key()
    endpoint.save()
    tell(endpoint, contract.ROTATED, who=who, now=now)
    return endpoint


def delete_endpoint(endpoint_id: UUID, *, shop_id: UUID, who: Who, now: datetime) -> None:
    """Forget it: nothing is sent any more, and nobody sees it again. Its rows go soon after."""
    endpoint = locked(endpoint_id, shop_id=shop_id)
    endpoint.state, endpoint.state_code, endpoint.state_since = State.DISABLED, BY_HAND, now
    endpoint.deleted_at = now
    endpoint.save()
    tell(endpoint, contract.DELETED, who=who, now=now)


def send_test(endpoint_id: UUID, *, shop_id: UUID, who: Who, now: datetime) -> WebhookDelivery:
    """Send a test event to it, whatever it asked for. Raises EndpointIsDisabled."""
    endpoint = locked(endpoint_id, shop_id=shop_id)
    require_enabled(endpoint)
    event = EndpointTested(endpoint_id=endpoint.pk, shop_id=shop_id)
    publish(
        [Append(endpoint.pk, None, event)],
        now=now,
        actor=who.actor,
        correlation_id=who.correlation_id or None,
    )
    recorded = read(endpoint.pk)[-1]
    queue([(endpoint.pk, True, recorded)], now=now)
    return WebhookDelivery.objects.get(endpoint=endpoint, stream=recorded.stream, version=recorded.version)


def locked(endpoint_id: UUID, *, shop_id: UUID | None) -> WebhookEndpoint:
    """The endpoint, its row locked. `shop_id` None: whoever's it is (for staff). Raises EndpointNotFound."""
    wanted = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint_id, deleted_at=None)
    endpoint = (wanted if shop_id is None else wanted.filter(shop_id=shop_id)).first()
    if endpoint is None:
        raise EndpointNotFound(detail="There is nothing here that this token may see.")
    return endpoint


def require_enabled(endpoint: WebhookEndpoint) -> None:
    """Raises EndpointIsDisabled."""
    if endpoint.state != State.ENABLED:
        raise EndpointIsDisabled(detail="Nothing is sent to a disabled endpoint. Enable it first.")


def tell(endpoint: WebhookEndpoint, change: str, *, who: Who, now: datetime, deliveries: int = 0) -> None:
    """Publish what happened to an endpoint. Its row must be locked: events of it have one order."""
    event = EndpointChanged(
        endpoint_id=endpoint.pk, shop_id=endpoint.shop_id, change=change, deliveries=deliveries
    )
    publish(
        [Append(endpoint.pk, None, event)], now=now, actor=who.actor, reason=who.reason,
        correlation_id=who.correlation_id or None,
    )  # fmt: skip
