"""Endpoints and deliveries as documents."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from sagas.web.fields import Moment, StrictSerializer, Text, Whole
from sagas.web.pages import PageQuery
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint

#: How long the secret before may stay valid.
MOST_HOURS = 168
ENDED = (WebhookDelivery.State.DELIVERED, WebhookDelivery.State.EXHAUSTED)


class EndpointFields(StrictSerializer):
    """What a shop says of an endpoint."""

    url = Text(max_length=2000, help_text="An https address that is reachable from outside.")
    event_types = serializers.ListField(
        child=Text(max_length=100), max_length=100, required=False,
        help_text="As in `orders.OrderConfirmed`. Empty: all that shops may be told of.",
    )  # fmt: skip
    description = Text(max_length=200, allow_blank=True, required=False)


class EndpointIn(EndpointFields):
    """A new endpoint."""


class EndpointPatch(EndpointFields):
    """What is to be changed. Other event types are asked for from then on."""

    url = Text(max_length=2000, required=False)
    enabled = serializers.BooleanField(required=False, help_text="false disables it, true sends to it again.")


class EndpointOut(serializers.ModelSerializer[WebhookEndpoint]):
    """Where events are sent. The secret is shown once, when it is made."""

    class Meta:
        model = WebhookEndpoint
        fields = (
            "id", "url", "description", "event_types", "state", "state_code", "state_since", "secret_number",
            "previous_until", "failures", "failing_since", "rest_until", "made_at",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs: dict[str, dict[str, Any]] = {
            "state_code": {
                "help_text": "Why it is disabled: webhooks.gone, webhooks.failing, webhooks.by_hand."
            },
            "secret_number": {"help_text": "Counts the secrets it has had."},
            "previous_until": {"help_text": "Until when messages are signed by the secret before as well."},
            "failures": {"help_text": "In a row."},
            "rest_until": {"help_text": "Until then it is left alone."},
        }


class EndpointWithSecretOut(EndpointOut):
    """An endpoint with a secret that nobody will show again."""

    secret = serializers.CharField(read_only=True, help_text="As in `whsec_...`. Keep it.")

    class Meta(EndpointOut.Meta):
        fields = (*EndpointOut.Meta.fields, "secret")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class EndpointPageOut(serializers.Serializer[Any]):
    """One page of endpoints, newest first."""

    items = EndpointOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class RotateIn(StrictSerializer):
    """How long the secret before stays valid."""

    keep_previous_hours = Whole(min_value=0, max_value=MOST_HOURS, default=24)


class NothingIn(StrictSerializer):
    """An empty document."""


class DeliveryQuery(PageQuery):
    """Filters of the list of deliveries. Times are those of the events."""

    state = serializers.ChoiceField(WebhookDelivery.State.choices, default="")
    type = Text(max_length=100, default="")
    since = Moment(default=None, allow_null=True)
    until = Moment(default=None, allow_null=True, help_text="Not included.")


class DeliveryOut(serializers.ModelSerializer[WebhookDelivery]):
    """One event for one endpoint. `id` is the `webhook-id` of every attempt."""

    event_id = serializers.SerializerMethodField(help_text="`id` in the body.")

    class Meta:
        model = WebhookDelivery
        fields = (
            "id", "endpoint_id", "event_id", "type", "event_at", "state", "attempt", "failed", "outcome", "status",
            "wake_at", "made_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs: dict[str, dict[str, Any]] = {
            "attempt": {"help_text": "How often it was begun to be sent."},
            "outcome": {"help_text": "What came of the last attempt, in a word."},
            "status": {"help_text": "The HTTP status of the last attempt, if there was one."},
            "wake_at": {"help_text": "When it is sent next."},
        }

    def get_event_id(self, delivery: WebhookDelivery) -> str:
        return f"{delivery.stream}.{delivery.version}"


class AttemptOut(serializers.Serializer[Any]):
    """One attempt."""

    at = serializers.DateTimeField()
    attempt = serializers.IntegerField()
    outcome = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField()
    answer = serializers.CharField(help_text="The beginning of what was answered.")


class DeliveryDetailOut(DeliveryOut):
    """A delivery with its last attempts, oldest first."""

    attempts = AttemptOut(many=True, read_only=True, source="history")

    class Meta(DeliveryOut.Meta):
        fields = (*DeliveryOut.Meta.fields, "attempts")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class DeliveryPageOut(serializers.Serializer[Any]):
    """One page of deliveries, newest events first."""

    items = DeliveryOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class ReplayIn(StrictSerializer):
    """What to send again: what has ended of the events in a time, or the events of these ids."""

    since = Moment(required=False)
    until = Moment(required=False, help_text="Not included.")
    states = serializers.ListField(
        child=serializers.ChoiceField([state.value for state in ENDED]), required=False, max_length=2,
        help_text="Without it, those that are exhausted.",
    )  # fmt: skip
    cursor = serializers.CharField(
        max_length=500, required=False, help_text="`next_cursor` of the answer before."
    )
    event_ids = serializers.ListField(
        child=Text(max_length=60), required=False, max_length=1000, min_length=1
    )

    def validate(self, sent: dict[str, Any]) -> dict[str, Any]:
        by_time = {"since", "until"} <= sent.keys()
        if by_time == ("event_ids" in sent) or (not by_time and sent.keys() - {"event_ids"}):
            raise serializers.ValidationError("Either since and until, or event_ids.")
        return sent


class ReplayOut(serializers.Serializer[Any]):
    """How many are sent again. With a `next_cursor` there are more: ask again, with it and a new key."""

    replayed = serializers.IntegerField()
    next_cursor = serializers.CharField(allow_null=True)


class EventTypesOut(serializers.Serializer[Any]):
    """What shops may be told of."""

    event_types = serializers.ListField(child=serializers.CharField())
