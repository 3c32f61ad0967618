"""A carrier that calls: the sandbox tells the web server of each scan, and the order follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

from sagas.clock import database_now
from sagas.inbox import work as inbox
from sagas.inbox.rows import IncomingWebhook
from shipping.models import Shipment
from shipping.tasks import READ_INBOX
from tests.sandbox_process import running_sandbox
from tests.scenarios.fulfilment import Fulfilment, in_business
from tests.waiting import eventually

SECRET = "whsec_of_the_carrier"


@pytest.fixture
def calling(transactional_db: None, live_server: LiveServer, tmp_path: Path) -> Iterator[Fulfilment]:
    """A shop in business whose carrier calls."""
    door = f"{live_server.url}/webhooks/shipping/sandbox/"
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("CARRIER_WEBHOOK_SECRETS", SECRET)
        sandbox = stack.enter_context(running_sandbox(tmp_path, "--profile", "quiet", "--tracking", door))
        shop = stack.enter_context(in_business(sandbox))
        mine = replace(django_settings.WAYBILL, carrier_webhook_secrets=(SECRET,))
        stack.enter_context(override_settings(WAYBILL=mine))
        yield shop
        assert shop.breaches() == []


def told(count: int) -> None:
    """Wait until so many scans have come in, and read them."""
    assert eventually(lambda: IncomingWebhook.objects.count() == count)
    inbox.read(READ_INBOX)


def test_a_parcel_is_followed_to_the_customer_by_what_its_carrier_tells(calling: Fulfilment) -> None:
    calling.shelve(MUG=10)
    calling.order()
    calling.settle()
    calling.hand_over()
    told(1)
    label = Shipment.objects.get().carrier_id
    for count, status in enumerate(("out_for_delivery", "delivered"), 2):
        calling.sandbox.scan(label, status, database_now().replace(microsecond=0))
        told(count)
    calling.settle()

    assert calling.ends() == ("completed", "captured", "consumed", "delivered")
    assert set(IncomingWebhook.objects.values_list("type", flat=True)) == {"shipment.scanned"}
