"""F76: a subscriber that is down, slow or answers rubbish is told again, for days, and holds up nobody."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from standardwebhooks import Webhook

from sagas.clock import database_now, travel
from sagas.webhooks import commands, rules, send, store
from sagas.webhooks.call import Heard
from sagas.webhooks.ending import close_disabled
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint
from sagas.webhooks.signing import Secret
from tests.sagas.webhooks.post import (
    STAFF,
    Even,
    Shop,
    fan_out,
    make_due,
    only_delivery,
    send_now,
    states,
)
from tests.sagas.webhooks.receiver import Receiver, Say

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _at_home() -> None:
    travel(0)


def test_an_event_arrives_signed_as_another_library_expects(shop: Shop, receiver: Receiver) -> None:
    endpoint = shop.listens(receiver)
    (order,) = shop.confirms()

    fan_out(), send_now()

    (came,) = receiver.came
    secret = Secret(endpoint.pk, 1, endpoint.secret_key).text()
    assert Webhook(secret).verify(came.body, came.headers) == json.loads(came.body)
    assert json.loads(came.body) == {
        "id": f"{order}.1", "type": "orders.OrderConfirmed", "schema_version": 1,
        "timestamp": only_delivery().event_at.isoformat(), "object_id": str(order), "sequence": 1,
        "data": {"order_id": str(order), "shop_id": str(shop.id)},
    }  # fmt: skip
    assert came.id == str(only_delivery().pk)
    assert states() == ["delivered"]


@pytest.mark.parametrize(
    ("say", "outcome", "status"),
    [
        (Say(500), "failed", 500),
        (Say(400), "refused", 400),
        (Say(302, {"Location": "https://example.org/"}), "redirected", 302),
        (Say(304), "redirected", 304),
        (Say(429, {"Retry-After": "7"}), "throttled", 429),
        (Say(instead="reset"), "no_answer", None),
        (Say(instead="rubbish"), "no_answer", None),
        (Say(instead="hang"), "timed_out", None),
    ],
)
def test_f76_what_is_no_2xx_is_tried_again(
    shop: Shop, receiver: Receiver, say: Say, outcome: str, status: int | None
) -> None:
    shop.listens(receiver)
    shop.confirms()
    receiver.says(say, 204)

    fan_out(), send_now()
    failed = only_delivery()
    make_due()
    send_now()

    assert (failed.state, failed.outcome, failed.status, failed.failed) == ("retrying", outcome, status, 1)
    assert failed.wake_at is not None
    assert receiver.ids() == [str(failed.pk)] * 2
    done = only_delivery()
    assert (done.state, [a["outcome"] for a in done.history]) == ("delivered", [outcome, "delivered"])
    assert WebhookEndpoint.objects.get().failures == 0


def test_f76_a_redirect_is_not_followed(
    shop: Shop, receiver: Receiver, receivers: Callable[[], Receiver]
) -> None:
    elsewhere = receivers()
    shop.listens(receiver)
    shop.confirms()
    receiver.says(Say(307, {"Location": elsewhere.url}))

    fan_out(), send_now()

    assert (len(receiver.came), elsewhere.came) == (1, [])


def test_f76_retry_after_is_obeyed_by_the_whole_endpoint_and_capped(shop: Shop, receiver: Receiver) -> None:
    endpoint = shop.listens(receiver)
    shop.confirms(2)
    receiver.says(Say(503, {"Retry-After": "600"}))
    fan_out()
    WebhookDelivery.objects.filter(pk=WebhookDelivery.objects.order_by("-id")[0].pk).update(
        wake_at=database_now() + timedelta(seconds=1)
    )

    send_now()
    WebhookDelivery.objects.update(wake_at=database_now())
    again = send_now()

    endpoint.refresh_from_db()
    assert endpoint.rest_until is not None
    assert 590 < (endpoint.rest_until - database_now()).total_seconds() <= 600
    assert (again, len(receiver.came)) == (0, 1)
    receiver.says(Say(429, {"Retry-After": "999999"}))
    make_due()
    send_now()
    endpoint.refresh_from_db()
    assert (endpoint.rest_until - database_now()).total_seconds() <= rules.LONGEST_RETRY_AFTER


def test_f76_410_disables_the_endpoint_and_its_owner_is_told(
    shop: Shop, receiver: Receiver, receivers: Callable[[], Receiver]
) -> None:
    other = receivers()
    gone = shop.listens(receiver, "orders.OrderConfirmed")
    told = shop.listens(other, "webhooks.EndpointDisabled")
    shop.confirms()
    receiver.says(410)

    fan_out(), send_now(), fan_out(), send_now()

    gone.refresh_from_db()
    assert (gone.state, gone.state_code) == ("disabled", "webhooks.gone")
    assert states(gone) == ["exhausted"]
    (came,) = other.came
    assert json.loads(came.body)["data"] == {
        "endpoint_id": str(gone.pk), "shop_id": str(shop.id), "code": "webhooks.gone"
    }  # fmt: skip
    assert states(told) == ["delivered"]


def test_f76_after_twelve_attempts_over_three_days_a_delivery_is_exhausted(
    shop: Shop, receiver: Receiver
) -> None:
    shop.listens(receiver)
    shop.confirms()
    receiver.says(500)
    fan_out()
    waited = 0.0

    for _ in range(20):
        send_now()
        delivery = only_delivery()
        if delivery.wake_at is None:
            break
        waited += (delivery.wake_at - database_now()).total_seconds()
        make_due()

    assert (delivery.state, delivery.failed, len(receiver.came)) == ("exhausted", 12, 12)
    assert 2.8 < waited / 86_400 < 3.2
    assert len(set(receiver.ids())) == 1


def test_f76_an_endpoint_that_only_failed_for_days_is_disabled_and_its_rest_listed(
    shop: Shop, receiver: Receiver
) -> None:
    endpoint = shop.listens(receiver)
    shop.confirms(3)
    receiver.says(500)
    fan_out(), send_now()
    WebhookEndpoint.objects.update(failing_since=database_now() - rules.DISABLE_AFTER)

    make_due()
    send_now()
    close_disabled(now=database_now())
    shop.confirms()
    fan_out()

    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.state_code) == ("disabled", "webhooks.failing")
    # Its own end among them: it had asked for everything.
    assert states(endpoint) == ["exhausted"] * 5


def test_f76_a_failing_endpoint_rests_and_is_probed_by_one_call_at_a_time(
    shop: Shop, receiver: Receiver
) -> None:
    endpoint = shop.listens(receiver)
    shop.confirms(12)
    receiver.says(500)
    fan_out()

    for _ in range(4):
        send_now()
    resting = len(receiver.came)
    untouched = WebhookDelivery.objects.filter(attempt=0).count()
    WebhookEndpoint.objects.update(rest_until=None)
    send_now()

    endpoint.refresh_from_db()
    assert resting == rules.FAILURES_TO_REST
    assert untouched == 12 - resting
    assert len(receiver.came) == resting + 1
    assert endpoint.rest_until is not None


def test_f76_a_slow_endpoint_does_not_delay_a_quick_one(
    shop: Shop, receiver: Receiver, receivers: Callable[[], Receiver]
) -> None:
    slow, quick = receiver, receivers()
    slow.says(Say(wait=0.8))
    shop.listens(slow)
    shop.listens(quick)
    shop.confirms(20)
    fan_out()
    began = time.monotonic()

    send.send(seconds=0.6, rng=Even())

    assert len(quick.came) == 20
    assert max(came.at for came in quick.came) - began < 0.6
    assert slow.most_under_way == settings.WAYBILL.webhook_endpoint_concurrency


def test_one_call_at_a_time_arrives_in_the_order_of_the_log(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, webhook_endpoint_concurrency=1))
    shop.listens(receiver)
    orders = [*shop.confirms(5), *shop.confirms(5)]

    fan_out(), send.send(seconds=2, rng=Even())

    assert [json.loads(came.body)["object_id"] for came in receiver.came] == [str(o) for o in orders]


def test_two_senders_at_once_send_everything_once(shop: Shop, receiver: Receiver) -> None:
    receiver.says(Say(wait=0.02))
    shop.listens(receiver)
    shop.confirms(40)
    fan_out()

    def run() -> None:
        try:
            send.send(seconds=3, rng=Even())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(receiver.came) == len(set(receiver.ids())) == 40
    assert set(states()) == {"delivered"}
    assert receiver.most_under_way <= settings.WAYBILL.webhook_endpoint_concurrency


def test_a_late_answer_to_a_claim_that_was_taken_over_counts_for_nothing(
    shop: Shop, receiver: Receiver
) -> None:
    shop.listens(receiver)
    shop.confirms()
    fan_out()
    endpoint = WebhookEndpoint.objects.get()
    _, (first,), _ = send._claim([endpoint.pk], 4)
    make_due()
    _, (second,), now = send._claim([endpoint.pk], 4)

    late = send.record([(first, Heard("delivered", 200))], now=now, rng=Even())
    between = states()
    right = send.record([(second, Heard("failed", 500))], now=now, rng=Even())

    assert (late, between) == ([], ["sending"])
    assert (len(right), states()) == (1, ["retrying"])


def test_many_resting_endpoints_hide_none_that_is_due(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOKED_AT", 2)
    endpoints = [shop.listens(receiver) for _ in range(5)]
    shop.confirms()
    fan_out()
    awake = endpoints[-1]
    tomorrow = database_now() + timedelta(days=1)
    WebhookEndpoint.objects.exclude(pk=awake.pk).update(rest_until=tomorrow)

    send_now()

    assert (states(awake), len(receiver.came)) == (["delivered"], 1)
    assert store.next_due() == []


def test_f83_during_a_rotation_both_secrets_verify_and_then_only_the_new_one(
    shop: Shop, receiver: Receiver
) -> None:
    endpoint = shop.listens(receiver)
    old = Webhook(Secret(endpoint.pk, 1, endpoint.secret_key).text())
    with transaction.atomic():
        commands.rotate_secret(
            endpoint.pk, shop_id=shop.id, previous_for=timedelta(hours=1), who=STAFF, now=database_now()
        )
    new = Webhook(Secret(endpoint.pk, 2, endpoint.secret_key).text())
    shop.confirms()
    fan_out(), send_now()
    WebhookEndpoint.objects.update(previous_until=database_now())
    shop.confirms()
    fan_out(), send_now()

    during, after = [came for came in receiver.came if b"OrderConfirmed" in came.body]

    assert during.headers["webhook-signature"].count("v1,") == 2
    old.verify(during.body, during.headers)
    new.verify(during.body, during.headers)
    new.verify(after.body, after.headers)
    with pytest.raises(Exception, match="No matching signature"):
        old.verify(after.body, after.headers)


def test_without_its_key_nothing_is_sent_and_no_attempt_is_burnt(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.listens(receiver)
    shop.confirms()
    fan_out()
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, webhook_keys=("another",)))
    send_now()
    waiting = only_delivery()
    monkeypatch.setattr(
        settings, "WAYBILL", replace(settings.WAYBILL, webhook_keys=("another", "a key for tests"))
    )
    make_due()
    send_now()

    assert (waiting.state, waiting.outcome, waiting.failed) == ("retrying", "no_key", 0)
    assert WebhookEndpoint.objects.get().failures == 0
    assert (len(receiver.came), states()) == (1, ["delivered"])


def test_what_is_answered_is_kept_only_in_part_and_printable(shop: Shop, receiver: Receiver) -> None:
    shop.listens(receiver)
    shop.confirms()
    receiver.says(Say(500, body=b"\x00\x1b[31m" + b"no " * 50_000))

    fan_out(), send_now()

    (attempt,) = only_delivery().history
    assert len(attempt["answer"]) == 500
    assert attempt["answer"].isprintable()
    assert "no no no" in attempt["answer"]
