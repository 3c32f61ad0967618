"""Staff look at webhooks, and enable, disable and replay with a reason."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from sagas.clock import database_now, travel
from sagas.models import StoredEvent
from sagas.webhooks.models import WebhookDelivery
from tests.sagas.webhooks.post import Shop, fan_out

pytestmark = pytest.mark.django_db(transaction=True)

ENDPOINTS = "/admin/webhooks/webhookendpoint/"
DELIVERIES = "/admin/webhooks/webhookdelivery/"
URL = "https://shop.example/hooks"


@pytest.fixture
def staff(transactional_db: None) -> Client:
    travel(0)
    client = Client()
    client.force_login(User.objects.create_superuser("grace"))
    return client


def test_an_endpoint_is_disabled_and_enabled_with_a_reason(staff: Client, shop: Shop) -> None:
    endpoint = shop.listens(URL)
    chosen = {"action": "disable", "_selected_action": [str(endpoint.pk)]}

    asked = staff.post(ENDPOINTS, chosen)
    silent = staff.post(f"{ENDPOINTS}act/disable/", {"chosen": [endpoint.pk], "reason": ""})
    endpoint.refresh_from_db()
    before = endpoint.state
    done = staff.post(f"{ENDPOINTS}act/disable/", {"chosen": [endpoint.pk], "reason": "floods them"})
    endpoint.refresh_from_db()
    disabled = (endpoint.state, endpoint.state_code)
    staff.post(f"{ENDPOINTS}act/enable/", {"chosen": [endpoint.pk], "reason": "they asked"})
    endpoint.refresh_from_db()

    assert "The shop is told" in asked.content.decode()
    assert (silent.status_code, before) == (200, "enabled")
    assert (done.status_code, disabled) == (302, ("disabled", "webhooks.by_hand"))
    assert endpoint.state == "enabled"
    told = StoredEvent.objects.filter(stream=endpoint.pk).order_by("version").values_list("type", "metadata")
    assert [(t, m["actor"], m["reason"]) for t, m in told][1:] == [
        ("webhooks.EndpointDisabled", "grace", "floods them"),
        ("webhooks.EndpointChanged", "grace", "they asked"),
    ]


def test_deliveries_are_sent_again_but_not_to_a_disabled_endpoint(staff: Client, shop: Shop) -> None:
    endpoint = shop.listens(URL, "orders.OrderConfirmed")
    shop.confirms(2)
    fan_out()
    WebhookDelivery.objects.update(state="exhausted", wake_at=None, finished_at=database_now())
    ids = [str(pk) for pk in WebhookDelivery.objects.values_list("pk", flat=True)]
    staff.post(f"{ENDPOINTS}act/disable/", {"chosen": [endpoint.pk], "reason": "r"})

    refused = staff.post(f"{DELIVERIES}act/replay/", {"chosen": ids, "reason": "r"})
    still = set(WebhookDelivery.objects.values_list("state", flat=True))
    staff.post(f"{ENDPOINTS}act/enable/", {"chosen": [endpoint.pk], "reason": "r"})
    staff.post(f"{DELIVERIES}act/replay/", {"chosen": ids, "reason": "r"})

    assert "Enable it first" in refused.content.decode()
    assert still == {"exhausted"}
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"queued"}


def test_pages_show_and_change_nothing(staff: Client, shop: Shop) -> None:
    endpoint = shop.listens(URL)
    shop.confirms()
    fan_out()
    delivery = WebhookDelivery.objects.get()

    pages = [
        staff.get(ENDPOINTS),
        staff.get(f"{ENDPOINTS}{endpoint.pk}/change/"),
        staff.get(f"{DELIVERIES}?endpoint__id__exact={endpoint.pk}"),
        staff.get(f"{DELIVERIES}{delivery.pk}/change/"),
    ]

    assert [page.status_code for page in pages] == [200] * 4
    assert all(endpoint.secret_key not in page.content.decode() for page in pages)
    assert staff.post(f"{ENDPOINTS}{endpoint.pk}/change/", {"url": "https://x.example/"}).status_code == 403
    assert staff.post(f"{ENDPOINTS}{endpoint.pk}/delete/", {"post": "yes"}).status_code == 403


def test_f78_who_may_only_look_may_not_act(shop: Shop) -> None:
    endpoint = shop.listens(URL)
    user = User.objects.create_user("eve", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_webhookendpoint"))
    client = Client()
    client.force_login(user)

    looked = client.get(ENDPOINTS)
    acted = client.post(f"{ENDPOINTS}act/disable/", {"chosen": [endpoint.pk], "reason": "r"})

    endpoint.refresh_from_db()
    assert (looked.status_code, acted.status_code, endpoint.state) == (200, 403, "enabled")
    assert 'value="disable"' not in looked.content.decode()
