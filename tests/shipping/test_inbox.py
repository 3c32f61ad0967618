"""Carriers' webhooks: signed, stored, read; whatever they say, the carrier is asked, and its word is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from sagas.clock import database_now, travel
from sagas.inbox import work as inbox
from sagas.inbox.rows import IncomingWebhook
from sagas.inbox.signing import signature
from sagas.inbox.sources import Unreadable
from shipping.carriers.base import CarrierStatus
from shipping.scans import Claim, Stands, is_known, read_claim, read_notice
from shipping.tasks import READ_INBOX
from tests.shipping.dock import Dock

SECRET = "whsec_carrier"
S = CarrierStatus
pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(dock: Dock, settings: Any) -> Iterator[Dock]:
    """A dock whose carrier tells it of one parcel that it has."""
    settings.WAYBILL = replace(django_settings.WAYBILL, carrier_webhook_secrets=(SECRET,))
    travel(0)
    dock.book("A-1")
    yield dock
    travel(0)


def event(carrier_id: str, status: str, at: datetime, ident: str = "evt_1") -> bytes:
    said = {
        "id": carrier_id,
        "reference": "A-1",
        "tracking_number": "X",
        "status": status,
        "at": int(at.timestamp()),
    }
    created = int(database_now().timestamp())
    return json.dumps(
        {"id": ident, "type": "shipment.scanned", "created": created, "data": {"object": said}}
    ).encode()


def post(body: bytes, secret: str = SECRET) -> int:
    stamp = str(int(database_now().timestamp()))
    header = f"t={stamp},v1={signature(secret, stamp, body).decode()}"
    answer = Client().post(
        "/webhooks/shipping/sandbox/",
        body,
        content_type="application/json",
        headers={"Carrier-Signature": header},
    )
    return answer.status_code


def happens(dock: Dock, status: CarrierStatus, hours: float, *, told: bool = True, ident: str = "") -> bytes:
    """Something happens to the parcel out there, and is told."""
    carrier_id, at = dock.shipment("A-1").carrier_id, database_now() + timedelta(hours=hours)
    at = at.replace(microsecond=0)
    dock.carrier.scan(carrier_id, status, at)
    body = event(carrier_id, status, at, ident or f"evt_{status}")
    if told:
        assert post(body) == 200
    return body


def read() -> list[str]:
    inbox.read(READ_INBOX)
    return [f"{w.state}: {w.code}" for w in IncomingWebhook.objects.order_by("id")]


def standing(dock: Dock) -> tuple[str, str]:
    shipment = dock.shipment("A-1")
    return shipment.state, shipment.progress


def test_a_webhook_has_the_carrier_asked_and_its_word_written_down(sent: Dock) -> None:
    happens(sent, S.IN_TRANSIT, 1, told=False)
    happens(sent, S.OUT_FOR_DELIVERY, 2)

    assert read() == ["applied: scanned"]
    assert standing(sent) == ("handed_over", "out_for_delivery")
    assert sent.story("A-1")[-3:] == ["ShipmentHandedOver", "ShipmentProgressed", "ShipmentProgressed"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_f53_webhooks_in_any_order_end_alike(sent: Dock, order: tuple[int, ...]) -> None:
    way = (S.IN_TRANSIT, S.OUT_FOR_DELIVERY, S.DELIVERED)
    bodies = [happens(sent, status, hours, told=False) for hours, status in enumerate(way)]

    for place in order:
        post(bodies[place])
        read()

    assert standing(sent)[0] == "delivered"
    assert sent.story("A-1").count("ShipmentDelivered") == 1


def test_what_is_known_is_ignored_and_nobody_is_asked(sent: Dock) -> None:
    old = happens(sent, S.IN_TRANSIT, 1, told=False)
    happens(sent, S.DELIVERED, 2)
    read()
    sent.carrier.track = None  # type: ignore[method-assign,assignment]
    post(old)

    assert read() == ["applied: scanned", "ignored: known"]


def test_f17_the_same_fact_under_two_ids_is_read_once(sent: Dock) -> None:
    body = happens(sent, S.IN_TRANSIT, 1)
    post(body.replace(b"evt_in_transit", b"evt_other"))

    read()

    assert sent.story("A-1").count("ShipmentProgressed") == 1


def test_f21_what_is_not_signed_by_the_carrier_leaves_no_row(sent: Dock) -> None:
    body = event("shp_1", S.LOST, database_now())

    assert post(body, secret="whsec_wrong") == 401
    assert IncomingWebhook.objects.count() == 0


def test_a_lie_with_a_good_signature_moves_no_parcel(sent: Dock) -> None:
    post(event(sent.shipment("A-1").carrier_id, S.DELIVERED, database_now()))

    assert read() == ["applied: scanned"]
    assert standing(sent) == ("label_bought", "")


def test_f18_a_scan_of_a_parcel_we_do_not_know_yet_waits(sent: Dock) -> None:
    post(event("shp_unknown", S.IN_TRANSIT, database_now()))

    assert read() == ["unmatched: no_such_parcel"]


@pytest.mark.parametrize(
    ("stands", "status", "hours", "known"),
    [
        (("label_bought", "", None), "in_transit", 0, False),
        (("handed_over", "in_transit", 1), "in_transit", 1, True),
        (("handed_over", "in_transit", 1), "out_for_delivery", 1, False),
        (("handed_over", "out_for_delivery", 2), "in_transit", 1, True),
        (("handed_over", "out_for_delivery", 2), "delivered", 1, False),
        (("delivered", "in_transit", 1), "lost", 9, True),
        (("returned", "", None), "delivered", 9, True),
        (("lost", "lost", 5), "out_for_delivery", 6, False),
    ],
)
def test_is_it_news(stands: tuple[str, str, float | None], status: str, hours: float, known: bool) -> None:
    begin = datetime.fromisoformat("2026-01-05T09:00:00+00:00")
    state, progress, since = stands
    at = None if since is None else begin + timedelta(hours=since)

    row = Stands("shp_1", state, progress, at)
    assert is_known(row, Claim(carrier_id="shp_1", status=status, at=begin + timedelta(hours=hours))) == known


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b'{"id":"e","type":"t","created":1}', b'{"id":"e","type":"t","created":1,"data":{"object":{}}}',
        b'{"id":"e","type":"t","created":1,"data":{"object":{"id":"s","status":"x","at":"soon"}}}',
        b'{"id":"e","type":"t","created":true,"data":{"object":{"id":"s","status":"x","at":1}}}',
        b'{"id":7,"type":"t","created":1,"data":{"object":{"id":"s","status":"x","at":1}}}',
    ],
)  # fmt: skip
def test_what_is_no_scan_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_notice(body)


def test_a_word_we_do_not_know_is_kept_and_asked_about() -> None:
    body = b'{"id":"e","type":"t","created":1,"data":{"object":{"id":"s","status":"pondering","at":1}}}'

    assert read_claim(body).status == "pondering"
