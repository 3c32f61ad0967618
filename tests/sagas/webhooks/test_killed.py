"""A sender may be killed anywhere: everything arrives at least once, each time under the same webhook-id."""

from __future__ import annotations

from pathlib import Path

import pytest
from standardwebhooks import Webhook

from sagas import bell
from sagas.webhooks.models import WebhookDelivery
from sagas.webhooks.queueing import TASK
from sagas.webhooks.signing import Secret
from tests.conftest import StartWorker
from tests.sagas.webhooks.post import Shop, fan_out, make_due, states
from tests.sagas.webhooks.receiver import Receiver
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

DEVELOPER = {
    "WAYBILL_WEBHOOK_HTTP": "1", "WAYBILL_WEBHOOK_PORTS": "any", "WAYBILL_WEBHOOK_INSIDE": "127.0.0.0/8",
    "WAYBILL_WEBHOOK_KEYS": "a key for tests", "WAYBILL_WEBHOOK_TIMEOUT_SECONDS": "1",
}  # fmt: skip

PLACES = (
    "webhooks.after_claim",
    "webhooks.before_call",
    "webhooks.after_call_before_commit",
    "webhooks.after_commit",
)


def test_a_sender_that_is_killed_everywhere_loses_nothing(
    shop: Shop, receiver: Receiver, celery_worker_process: StartWorker, tmp_path: Path
) -> None:
    endpoint = shop.listens(receiver, "orders.OrderConfirmed")
    shop.confirms(5)
    fan_out()
    marker = tmp_path / "died"
    deadly = {"WAYBILL_CRASH_POINT": ",".join(PLACES), "WAYBILL_CRASH_MARKER": str(marker)}
    celery_worker_process(queues=("webhooks",), env=DEVELOPER | deadly)

    def went_on() -> bool:
        # As if leases were over, and the messages of the dead had come back: both take longer than a test.
        if WebhookDelivery.objects.filter(state__in=WebhookDelivery.OPEN).exists():
            make_due()
            bell.let_go(TASK)
            bell.ring(TASK)
        elif not all(Path(f"{marker}.{place}").exists() for place in PLACES):
            shop.confirms(1)
            fan_out()
        return set(states()) == {"delivered"} and all(Path(f"{marker}.{place}").exists() for place in PLACES)

    assert eventually(went_on, within=100)
    assert set(receiver.ids()) == {str(d.pk) for d in WebhookDelivery.objects.all()}
    assert len(receiver.came) > len(set(receiver.ids()))
    secret = Webhook(Secret(endpoint.pk, 1, endpoint.secret_key).text())
    for came in receiver.came:
        secret.verify(came.body, came.headers)


def test_a_worker_of_its_own_sends_what_the_reader_rang_for(
    shop: Shop, receiver: Receiver, celery_worker_process: StartWorker
) -> None:
    celery_worker_process(queues=("webhooks",), env=DEVELOPER)
    shop.listens(receiver)
    shop.confirms(3)
    bell.let_go(TASK)

    fan_out()

    assert eventually(lambda: states() == ["delivered"] * 3, within=60)
    assert len(receiver.came) == 3
