"""Where a shop says what it wants to be told, and sees what became of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from sagas.web.once import idempotency_key, once
from sagas.web.pages import PageQuery, cursor_after, cursor_invalid, id_in, key_in, page
from sagas.web.problems import not_found
from sagas.web.views import ApiView
from sagas.webhooks import commands, queries, replay
from sagas.webhooks.addresses import check_url
from sagas.webhooks.api.serializers import (
    DeliveryDetailOut,
    DeliveryOut,
    DeliveryPageOut,
    DeliveryQuery,
    EndpointIn,
    EndpointOut,
    EndpointPageOut,
    EndpointPatch,
    EndpointWithSecretOut,
    EventTypesOut,
    NothingIn,
    ReplayIn,
    ReplayOut,
    RotateIn,
)
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint
from sagas.webhooks.offered import offered_types
from sagas.webhooks.signing import Secret


class WebhookView(ApiView):
    """What views of webhooks share."""

    @property
    def who(self) -> commands.Who:
        """In whose name commands are given."""
        return commands.Who(self.caller.actor, correlation_id=self.correlation_id)

    def endpoint(self, endpoint_id: UUID) -> WebhookEndpoint:
        """The shop's endpoint. Raises Problem 404."""
        found = queries.get_endpoint(endpoint_id, self.shop_id)
        if found is None:
            raise not_found()
        return found

    def with_secret(self, response: Response) -> Response:
        """Show the secret that was made. It is derived anew for a repeat too, so that none lies with kept answers."""
        document: dict[str, Any] = response.data
        endpoint = queries.get_endpoint(UUID(document["id"]), self.shop_id)
        if endpoint is not None and endpoint.secret_number == document["secret_number"]:
            secret = Secret(endpoint.pk, endpoint.secret_number, endpoint.secret_key)
            response.data = {**document, "secret": secret.text()}
        return response


class Endpoints(WebhookView):
    """The shop's endpoints."""

    idempotent = True

    @extend_schema(
        operation_id="create_webhook_endpoint", tags=["webhooks"], request=EndpointIn,
        responses={201: OpenApiResponse(EndpointWithSecretOut, "It gets what happens from now on.")},
        summary="Ask to be told of events",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Make an endpoint. Its secret is in this answer, and never shown again."""
        idempotency_key(request)
        sent = EndpointIn.check(request.data)
        check_url(sent["url"])
        return self.with_secret(once(request, lambda now: self._create(sent, now)))

    def _create(self, sent: dict[str, Any], now: datetime) -> Response:
        endpoint = commands.create_endpoint(
            self.shop_id, url=sent["url"], event_types=sent.get("event_types", []),
            description=sent.get("description", ""), who=self.who, now=now,
        )  # fmt: skip
        return Response(_document(endpoint), status=201, headers={"Location": _address_of(endpoint.pk)})

    @extend_schema(
        operation_id="list_webhook_endpoints", tags=["webhooks"], parameters=[PageQuery],
        responses=EndpointPageOut, summary="List endpoints, newest first",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """One page of the shop's endpoints."""
        asked = PageQuery.read(request.query_params)
        limit, before = asked["limit"], id_in(asked["cursor"])
        wanted = queries.list_endpoints(self.shop_id)
        found = list((wanted.filter(id__lt=before) if before else wanted)[: limit + 1])
        more = cursor_after(str(found[limit - 1].pk)) if len(found) > limit else None
        return page(request, EndpointOut(found[:limit], many=True).data, more)


class EndpointDetail(WebhookView):
    """One endpoint."""

    @extend_schema(
        operation_id="get_webhook_endpoint", tags=["webhooks"], responses=EndpointOut, summary="An endpoint"
    )
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """How it stands and how it has been doing."""
        del request
        return Response(EndpointOut(self.endpoint(endpoint_id)).data)

    @extend_schema(
        operation_id="update_webhook_endpoint", tags=["webhooks"], request=EndpointPatch,
        responses=EndpointOut, summary="Change, disable or enable an endpoint",
    )  # fmt: skip
    def patch(self, request: Request, endpoint_id: UUID) -> Response:
        """Change what is said of it. Safe to repeat."""
        sent = EndpointPatch.check(request.data)
        self.endpoint(endpoint_id)
        if "url" in sent:
            check_url(sent["url"])
        wanted = sent.pop("enabled", None)
        if "event_types" in sent:
            sent["event_types"] = sorted(set(sent["event_types"]))
        given: dict[str, Any] = {"shop_id": self.shop_id, "who": self.who, "now": self.now()}
        with transaction.atomic():
            endpoint = commands.update_endpoint(endpoint_id, changes=sent, **given)
            if wanted is not None:
                turn = commands.enable_endpoint if wanted else commands.disable_endpoint
                endpoint = turn(endpoint_id, **given)
        return Response(EndpointOut(endpoint).data)

    @extend_schema(
        operation_id="delete_webhook_endpoint", tags=["webhooks"], request=None, responses={204: None},
        summary="Delete an endpoint",
    )  # fmt: skip
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        """Forget it and what was to be sent to it. Again: 404."""
        del request
        with transaction.atomic():
            commands.delete_endpoint(endpoint_id, shop_id=self.shop_id, who=self.who, now=self.now())
        return Response(status=204)


class EndpointSecret(WebhookView):
    """The secret of one endpoint."""

    idempotent = True

    @extend_schema(
        operation_id="rotate_webhook_secret", tags=["webhooks"], request=RotateIn,
        responses=EndpointWithSecretOut, summary="Give an endpoint a new secret",
    )  # fmt: skip
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Make a new secret. Until the one before ends, messages carry a signature by each."""
        return self.with_secret(once(request, lambda now: self._rotate(request, endpoint_id, now)))

    def _rotate(self, request: Request, endpoint_id: UUID, now: datetime) -> Response:
        hours = RotateIn.check(request.data)["keep_previous_hours"]
        endpoint = commands.rotate_secret(
            endpoint_id, shop_id=self.shop_id, previous_for=timedelta(hours=hours), who=self.who, now=now
        )
        return Response(_document(endpoint))


class EndpointTest(WebhookView):
    """A test of one endpoint."""

    idempotent = True

    @extend_schema(
        operation_id="test_webhook_endpoint", tags=["webhooks"], request=NothingIn,
        responses={202: OpenApiResponse(DeliveryOut, "It is on its way.")}, summary="Send a test event",
    )  # fmt: skip
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send `webhooks.EndpointTested` to it, whatever it asked for."""
        return once(request, lambda now: self._test(request, endpoint_id, now))

    def _test(self, request: Request, endpoint_id: UUID, now: datetime) -> Response:
        NothingIn.check(request.data)
        delivery = commands.send_test(endpoint_id, shop_id=self.shop_id, who=self.who, now=now)
        return Response(_plain(DeliveryOut(delivery).data), status=202)


class EndpointReplay(WebhookView):
    """Sending again."""

    idempotent = True

    @extend_schema(
        operation_id="replay_webhooks", tags=["webhooks"], request=ReplayIn,
        responses={202: OpenApiResponse(ReplayOut, "They are on their way.")}, summary="Send events again",
    )  # fmt: skip
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send again, at most a thousand at a time, what has ended of a time, or events by their ids."""
        return once(request, lambda now: self._replay(request, endpoint_id, now))

    def _replay(self, request: Request, endpoint_id: UUID, now: datetime) -> Response:
        sent = ReplayIn.check(request.data)
        given: dict[str, Any] = {"shop_id": self.shop_id, "who": self.who, "now": now}
        if "event_ids" in sent:
            done = replay.replay_events(endpoint_id, sent["event_ids"], **given)
        else:
            states, after = sent.get("states", ["exhausted"]), _place_in(sent.get("cursor", ""))
            given |= {"since": sent["since"], "until": sent["until"], "states": states, "after": after}
            done = replay.replay_range(endpoint_id, **given)
        more = cursor_after(done.after[0].isoformat(), str(done.after[1])) if done.after else None
        return Response({"replayed": done.count, "next_cursor": more}, status=202)


class EndpointDeliveries(WebhookView):
    """What was sent to one endpoint."""

    @extend_schema(
        operation_id="list_webhook_deliveries", tags=["webhooks"], parameters=[DeliveryQuery],
        responses=DeliveryPageOut, summary="List deliveries, newest events first",
    )  # fmt: skip
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """One page of what was sent, is on its way, or was given up."""
        asked = DeliveryQuery.read(request.query_params)
        self.endpoint(endpoint_id)
        limit, after = asked.pop("limit"), _place_in(asked.pop("cursor"))
        wanted = queries.DeliveryFilters(**asked)
        found = queries.list_deliveries(endpoint_id, wanted, after=after, limit=limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        more = cursor_after(last.event_at.isoformat(), str(last.pk)) if last else None
        return page(request, DeliveryOut(found[:limit], many=True).data, more)


class DeliveryDetail(WebhookView):
    """One delivery."""

    @extend_schema(
        operation_id="get_webhook_delivery", tags=["webhooks"], responses=DeliveryDetailOut,
        summary="A delivery with its attempts",
    )  # fmt: skip
    def get(self, request: Request, delivery_id: UUID) -> Response:
        """What was tried, when, and what was answered."""
        del request
        return Response(DeliveryDetailOut(self._delivery(delivery_id)).data)

    def _delivery(self, delivery_id: UUID) -> WebhookDelivery:
        found = queries.get_delivery(delivery_id, self.shop_id)
        if found is None:
            raise not_found()
        return found


class DeliveryReplay(DeliveryDetail):
    """One delivery, again."""

    idempotent = True
    http_method_names = ("post",)

    @extend_schema(
        operation_id="replay_webhook_delivery", tags=["webhooks"], request=NothingIn,
        responses={202: OpenApiResponse(ReplayOut, "It is on its way.")}, summary="Send one event again",
    )  # fmt: skip
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """Send it again if it has ended, under the `webhook-id` it had."""
        return once(request, lambda now: self._again(request, delivery_id, now))

    def _again(self, request: Request, delivery_id: UUID, now: datetime) -> Response:
        NothingIn.check(request.data)
        delivery = self._delivery(delivery_id)
        done = replay.replay_deliveries(
            delivery.endpoint_id, [delivery.pk], shop_id=self.shop_id, who=self.who, now=now
        )
        return Response({"replayed": done.count, "next_cursor": None}, status=202)


class EventTypes(WebhookView):
    """What there is to be told of."""

    @extend_schema(
        operation_id="list_webhook_event_types", tags=["webhooks"], responses=EventTypesOut,
        summary="Event types that shops may ask for",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Every type, by name. Their data are described in the catalogue of events."""
        del request
        return Response({"event_types": offered_types()})


def _document(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return _plain(EndpointOut(endpoint).data)


def _plain(data: Any) -> dict[str, Any]:
    """A document that can be kept: ids as texts."""
    return {name: str(value) if isinstance(value, UUID) else value for name, value in data.items()}


def _address_of(endpoint_id: UUID) -> str:
    return reverse("api-webhook-endpoint", kwargs={"endpoint_id": endpoint_id})


def _place_in(cursor: str) -> tuple[datetime, UUID] | None:
    if not cursor:
        return None
    at, delivery_id = key_in(cursor, 2)
    try:
        place = datetime.fromisoformat(at), UUID(delivery_id)
    except ValueError:
        raise cursor_invalid() from None
    if place[0].tzinfo is None:
        raise cursor_invalid()
    return place
