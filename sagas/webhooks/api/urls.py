"""Addresses of webhooks below /api/v1/."""

from __future__ import annotations

from django.urls import path

from sagas.webhooks.api import views

ENDPOINT = "webhook-endpoints/<uuid:endpoint_id>"
DELIVERY = "webhook-deliveries/<uuid:delivery_id>"

urlpatterns = [
    path("webhook-event-types", views.EventTypes.as_view(), name="api-webhook-event-types"),
    path("webhook-endpoints", views.Endpoints.as_view(), name="api-webhook-endpoints"),
    path(ENDPOINT, views.EndpointDetail.as_view(), name="api-webhook-endpoint"),
    path(f"{ENDPOINT}/secret", views.EndpointSecret.as_view(), name="api-webhook-secret"),
    path(f"{ENDPOINT}/test", views.EndpointTest.as_view(), name="api-webhook-test"),
    path(f"{ENDPOINT}/replay", views.EndpointReplay.as_view(), name="api-webhook-replay"),
    path(f"{ENDPOINT}/deliveries", views.EndpointDeliveries.as_view(), name="api-webhook-deliveries"),
    path(DELIVERY, views.DeliveryDetail.as_view(), name="api-webhook-delivery"),
    path(f"{DELIVERY}/replay", views.DeliveryReplay.as_view(), name="api-webhook-delivery-replay"),
]
