"""Webhooks as a shop sets them up: its own, and nobody else's."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from sagas.clock import database_now
from sagas.models import StoredEvent
from sagas.web.kept import KeptAnswer
from sagas.webhooks import addresses
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint
from sagas.webhooks.signing import Secret
from tests.api.counter import Counter, problem
from tests.sagas.webhooks.post import Shop, fan_out

ENDPOINTS = "/api/v1/webhook-endpoints"
DELIVERIES = "/api/v1/webhook-deliveries"
URL = "https://shop.example/hooks"


@pytest.fixture(autouse=True)
def found_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name leads outside: no resolver is asked."""

    def lookup(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", ("93.184.216.34", 443))]

    real = addresses.resolve
    monkeypatch.setattr(addresses, "resolve", lambda target, rules: real(target, rules, lookup=lookup))


def made(counter: Counter, **changes: Any) -> dict[str, Any]:
    answer = counter.post(ENDPOINTS, {"url": URL} | changes)
    assert answer.status_code == 201, answer.content
    document: dict[str, Any] = answer.json()
    return document


def send(counter: Counter, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {counter.token}"}
    data = json.dumps({} if body is None else body)
    return Client().generic(method, path, data, content_type="application/json", headers=headers)


def shop_of(counter: Counter) -> Shop:
    return Shop(counter.shop.pk)


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_is_made_shown_changed_and_deleted(counter: Counter) -> None:
    endpoint = made(counter, event_types=["orders.OrderConfirmed"], description="shop floor")
    where = f"{ENDPOINTS}/{endpoint['id']}"

    shown = counter.get_now(where).json()
    changed = send(counter, "PATCH", where, {"description": "", "enabled": False}).json()
    again = send(counter, "PATCH", where, {"enabled": True}).json()
    gone = send(counter, "DELETE", where)

    assert endpoint["secret"].startswith("whsec_")
    assert shown == {k: v for k, v in endpoint.items() if k != "secret"}
    assert (changed["description"], changed["state"], changed["state_code"]) == (
        "",
        "disabled",
        "webhooks.by_hand",
    )
    assert (again["state"], again["state_code"]) == ("enabled", "")
    assert gone.status_code == 204
    assert problem(counter.get_now(where)) == (404, "api.not_found")
    assert problem(send(counter, "DELETE", where)) == (404, "webhooks.not_found")
    told = StoredEvent.objects.filter(stream=endpoint["id"]).order_by("version")
    assert [e.data.get("change", e.data.get("code")) for e in told] == [
        "created", "updated", "webhooks.by_hand", "enabled", "deleted",
    ]  # fmt: skip
    assert all(e.metadata["actor"] == f"shop:{counter.shop.slug}" for e in told)


@pytest.mark.django_db(transaction=True)
def test_a_secret_is_shown_to_who_made_it_and_lies_nowhere(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    first = counter.post(ENDPOINTS, {"url": URL}, key="one")
    repeat = counter.post(ENDPOINTS, {"url": URL}, key="one")

    secret = first.json()["secret"]
    assert repeat["Idempotency-Replayed"] == "true"
    assert repeat.json() == first.json()
    assert WebhookEndpoint.objects.count() == 1
    assert secret not in json.dumps(KeptAnswer.objects.get().body)
    assert secret not in caplog.text
    raw = secret.removeprefix("whsec_")
    with connection.cursor() as cursor:
        for table in ("webhooks_endpoint", "sagas_event", "sagas_keptanswer"):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{raw}%"])
            assert cursor.fetchone() == (0,)
    assert counter.get_now(f"{ENDPOINTS}/{first.json()['id']}").json().get("secret") is None


@pytest.mark.django_db(transaction=True)
def test_f83_a_rotated_secret_is_another_and_the_one_before_ends(counter: Counter) -> None:
    endpoint = made(counter)
    where = f"{ENDPOINTS}/{endpoint['id']}/secret"

    kept = counter.post(where, {"keep_previous_hours": 1}).json()
    at_once = counter.post(where, {"keep_previous_hours": 0}).json()
    too_long = counter.post(where, {"keep_previous_hours": 169})

    assert len({endpoint["secret"], kept["secret"], at_once["secret"]}) == 3
    row = WebhookEndpoint.objects.get()
    assert at_once["secret"] == Secret(row.pk, 3, row.secret_key).text()
    assert kept["previous_until"] is not None
    assert at_once["previous_until"] is None
    assert problem(too_long) == (422, "api.invalid")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "http://shop.example/"}, "webhooks.url_refused"),
        ({"url": "https://127.0.0.1/"}, "webhooks.url_refused"),
        ({"url": "https://user:pw@shop.example/"}, "webhooks.url_refused"),
        ({"url": URL, "event_types": ["sagas.OperatorActed"]}, "webhooks.unknown_event_type"),
        ({"url": URL, "event_types": ["orders.Nonsense"]}, "webhooks.unknown_event_type"),
        ({"url": URL, "event_types": "all"}, "api.invalid"),
        ({"url": URL, "shop_id": "x"}, "api.invalid"),
        ({"url": 5}, "api.invalid"),
        ({}, "api.invalid"),
    ],
)
def test_a_bad_endpoint_is_refused_and_nothing_stored(
    counter: Counter, body: dict[str, Any], code: str
) -> None:
    assert problem(counter.post(ENDPOINTS, body)) == (422, code)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_f77_an_address_is_looked_at_when_it_is_changed_too(counter: Counter) -> None:
    where = f"{ENDPOINTS}/{made(counter)['id']}"

    assert problem(send(counter, "PATCH", where, {"url": "https://169.254.169.254/"})) == (
        422,
        "webhooks.url_refused",
    )
    assert WebhookEndpoint.objects.get().url == URL


@pytest.mark.django_db(transaction=True)
def test_a_key_is_needed_and_there_are_not_endlessly_many(counter: Counter) -> None:
    assert problem(counter.post(ENDPOINTS, {"url": URL}, key=None)) == (400, "api.idempotency_key_missing")
    for _ in range(20):
        made(counter)
    assert problem(counter.post(ENDPOINTS, {"url": URL})) == (409, "webhooks.too_many_endpoints")


@pytest.mark.django_db(transaction=True)
def test_deliveries_are_listed_filtered_paged_and_shown_with_their_attempts(counter: Counter) -> None:
    endpoint = made(counter)
    shop_of(counter).confirms(5)
    fan_out()
    last = WebhookDelivery.objects.order_by("event_at", "id").last()
    assert last is not None
    attempt = {
        "at": "2026-01-05T09:00:00Z",
        "attempt": 1,
        "outcome": "failed",
        "status": 500,
        "seconds": 0.1,
        "answer": "no",
    }
    WebhookDelivery.objects.filter(pk=last.pk).update(state="retrying", outcome="failed", history=[attempt])
    where = f"{ENDPOINTS}/{endpoint['id']}/deliveries"

    first = counter.get_now(where, {"limit": 2, "state": "queued"}).json()
    second = counter.get_now(where, {"limit": 2, "state": "queued", "cursor": first["next_cursor"]}).json()
    retrying = counter.get_now(where, {"state": "retrying"}).json()["items"]
    none = counter.get_now(where, {"type": "orders.OrderCancelled"}).json()["items"]
    early = counter.get_now(where, {"until": "2020-01-01T00:00:00Z"}).json()["items"]
    shown = counter.get_now(f"{DELIVERIES}/{last.pk}").json()

    assert len(first["items"]) == len(second["items"]) == 2
    assert second["next_cursor"] is None
    assert len({item["id"] for item in first["items"] + second["items"] + retrying}) == 5
    assert ([item["id"] for item in retrying], none, early) == ([str(last.pk)], [], [])
    assert shown["event_id"] == f"{last.stream}.1"
    assert [a["outcome"] for a in shown["attempts"]] == ["failed"]


@pytest.mark.django_db(transaction=True)
def test_one_delivery_a_time_and_events_by_name_are_replayed(counter: Counter) -> None:
    endpoint = made(counter)
    (order, _) = shop_of(counter).confirms(2)
    fan_out()
    WebhookDelivery.objects.update(state="exhausted", wake_at=None, finished_at=database_now(), failed=12)
    one = WebhookDelivery.objects.get(stream=order)
    where = f"{ENDPOINTS}/{endpoint['id']}/replay"
    hour = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}

    single = counter.post(f"{DELIVERIES}/{one.pk}/replay")
    range_ = counter.post(where, hour)
    named = counter.post(where, {"event_ids": [f"{order}.1"]})
    odd = [
        counter.post(where, body) for body in ({}, {"since": hour["since"]}, hour | {"event_ids": ["x.1"]})
    ]
    unknown = counter.post(where, {"event_ids": ["nonsense"]})

    assert [a.json()["replayed"] for a in (single, range_, named)] == [1, 1, 0]
    assert {problem(a) for a in odd} == {(422, "api.invalid")}
    assert problem(unknown) == (422, "webhooks.unknown_event")
    assert set(WebhookDelivery.objects.values_list("state", "failed")) == {("queued", 0)}


@pytest.mark.django_db(transaction=True)
def test_a_test_event_goes_to_that_endpoint_alone_unless_it_is_disabled(counter: Counter) -> None:
    endpoint, _other = made(counter, event_types=["orders.OrderCancelled"]), made(counter)
    where = f"{ENDPOINTS}/{endpoint['id']}"

    sent = counter.post(f"{where}/test")
    fan_out()
    send(counter, "PATCH", where, {"enabled": False})

    assert sent.status_code == 202
    (delivery,) = WebhookDelivery.objects.filter(type="webhooks.EndpointTested")
    assert (str(delivery.endpoint_id), sent.json()["id"]) == (endpoint["id"], str(delivery.pk))
    assert problem(counter.post(f"{where}/test")) == (409, "webhooks.endpoint_disabled")


@pytest.mark.django_db(transaction=True)
def test_f78_a_shop_sees_and_touches_nothing_of_another(counter: Counter, other: Counter) -> None:
    endpoint = made(counter)
    shop_of(counter).confirms()
    fan_out()
    delivery = WebhookDelivery.objects.get()
    where, one = f"{ENDPOINTS}/{endpoint['id']}", f"{DELIVERIES}/{delivery.pk}"
    before = WebhookEndpoint.objects.values().get()
    tried: list[Callable[[], Any]] = [
        lambda: other.get_now(where),
        lambda: other.get_now(f"{where}/deliveries"),
        lambda: other.get_now(one),
        lambda: send(other, "PATCH", where, {"url": URL, "enabled": False}),
        lambda: send(other, "DELETE", where),
        lambda: other.post(f"{where}/secret"),
        lambda: other.post(f"{where}/test"),
        lambda: other.post(f"{where}/replay", {"event_ids": [f"{delivery.stream}.1"]}),
        lambda: other.post(f"{one}/replay"),
    ]

    answers = [ask() for ask in tried]

    assert {a.status_code for a in answers} == {404}
    assert other.get_now(ENDPOINTS).json()["items"] == []
    assert WebhookEndpoint.objects.values().get() == before
    assert WebhookDelivery.objects.count() == 1
    assert UUID(endpoint["id"]) == before["id"]


@pytest.mark.django_db(transaction=True)
def test_what_there_is_to_be_told_of_is_listed(counter: Counter) -> None:
    types = counter.get_now("/api/v1/webhook-event-types").json()["event_types"]

    assert "orders.OrderConfirmed" in types
    assert "orders.OrderNeedsAttention" not in types
