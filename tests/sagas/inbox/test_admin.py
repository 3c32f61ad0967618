"""Incoming webhooks in the admin and in the numbers: to look, and to have them read again with a reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from sagas import gauges
from sagas.clock import travel
from sagas.inbox import work
from sagas.inbox.reader import Applied, Ignored, Unmatched
from sagas.inbox.receive import receive
from sagas.inbox.rows import IncomingWebhook
from sagas.inbox.sources import find_source
from sagas.keeping.inbox import KEEP_BODY, inbox_retention
from tests.sagas import people
from tests.sagas.inbox.conftest import NAME, TASK, ToyReader, body, signed

LIST = "/admin/sagas/incomingwebhook/"


def came(event: str, about: str = "obj_1") -> IncomingWebhook:
    source = find_source(NAME)
    assert source is not None
    text = body(event, says=event, about=about)
    receive(source, text, {"X-Toy-Signature": signed(text)}, now=datetime.now(UTC))
    return IncomingWebhook.objects.get(event_id=event)


@pytest.fixture
def client(toys_inbox: ToyReader) -> Client:
    toys_inbox.fates = {"obj_1": [Ignored("known"), Applied("moved")], "obj_2": [Unmatched("nobody")]}
    came("evt_1")
    came("evt_2", "obj_2")
    work.read(TASK)
    return people.operator()


def listed(client: Client, **query: str) -> set[str]:
    page = client.get(LIST, query).content.decode()
    return {event for event in ("evt_1", "evt_2") if event in page}


def test_the_list_is_narrowed_by_state_source_and_an_exact_id(client: Client) -> None:
    assert listed(client) == {"evt_1", "evt_2"}
    assert listed(client, state__exact="unmatched") == {"evt_2"}
    assert listed(client, source=NAME) == {"evt_1", "evt_2"}
    assert listed(client, q="obj_1") == {"evt_1"}


def test_one_message_is_shown_whole_as_long_as_its_body_is_kept_and_cannot_be_changed(client: Client) -> None:
    row = IncomingWebhook.objects.get(event_id="evt_1")
    address = reverse("admin:sagas_incomingwebhook_change", args=[row.pk])

    page = client.get(address).content.decode()
    refused = client.post(address, {"state": "applied"}).status_code
    assert row.settled_at is not None
    inbox_retention(now=row.settled_at + KEEP_BODY * 1.01)
    later = client.get(address).content.decode()

    assert "&quot;object&quot;: &quot;obj_1&quot;" in page
    assert refused == 403
    assert "emptied" in later
    assert "&quot;object&quot;: &quot;obj_1&quot;" not in later


def test_staff_have_messages_read_again_with_a_reason(client: Client) -> None:
    row = IncomingWebhook.objects.get(event_id="evt_1")
    asked = client.post(LIST, {"action": "read_again", "_selected_action": [str(row.pk)]}).content.decode()
    without = client.post(reverse("admin:sagas_read_again"), {"webhook": [str(row.pk)], "reason": ""})

    done = client.post(
        reverse("admin:sagas_read_again"), {"webhook": [str(row.pk)], "reason": "mended"}, follow=True
    )
    work.read(TASK)

    assert "Read 1 webhook again?" in asked
    assert (without.status_code, "This field is required" in without.content.decode()) == (200, True)
    assert "To be read again: 1." in done.content.decode()
    assert IncomingWebhook.objects.get(event_id="evt_1").code == "moved"


def test_who_may_only_look_may_not_have_anything_read_again(client: Client) -> None:
    row = IncomingWebhook.objects.get(event_id="evt_1")

    answer = people.onlooker().post(
        reverse("admin:sagas_read_again"), {"webhook": [str(row.pk)], "reason": "curious"}
    )

    assert answer.status_code == 403
    assert IncomingWebhook.objects.get(event_id="evt_1").state == "ignored"


def test_the_numbers_tell_what_is_open_and_for_how_long_nobody_has_read_it(client: Client) -> None:
    came("evt_3")
    travel(90)

    found = {
        m.name: {s.labels["source"]: s.value for s in m.samples} for m in gauges.read() if "webhook" in m.name
    }

    assert found["waybill_webhooks_open"][NAME] == 2
    assert 89 < found["waybill_webhooks_unread_oldest_seconds"][NAME] < 100
    assert found["waybill_webhooks_open"]["payments.stripe"] == 0
