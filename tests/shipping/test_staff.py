"""What staff see of parcels: everything but an address, and nothing to change by hand."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from shipping.models import Shipment
from tests.shipping.dock import Dock

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff"))
    return client


def test_parcels_are_listed_filtered_and_found(dock: Dock, staff: Client) -> None:
    dock.book("A-1", "A-2")
    dock.cancel("A-2")

    voided = staff.get("/admin/shipping/shipment/?state__exact=voided").content.decode()
    found = staff.get(f"/admin/shipping/shipment/?q={dock.id('A-1')}").content.decode()

    assert ("A-1" in voided, "A-2" in voided) == (False, True)
    assert ("A-1" in found, "A-2" in found) == (True, False)


def test_a_parcel_shows_what_is_in_it_and_cannot_be_changed(dock: Dock, staff: Client) -> None:
    dock.book("A-1")
    dock.run(dock.withdrawal("A-1", MUG=1))
    page = f"/admin/shipping/shipment/{dock.shipment('A-1').pk}/change/"

    shown = staff.get(page).content.decode()

    assert "2 × MUG (1 taken out)" in shown
    assert "Long Road" not in shown
    assert staff.post(page, {"state": "delivered"}).status_code == 403
    assert dock.state("A-1") == Shipment.State.LABEL_BOUGHT


def test_a_label_is_printed_while_it_is_there_and_kept_nowhere(dock: Dock, staff: Client) -> None:
    dock.book("A-1", "A-2")
    shipment = dock.shipment("A-1")
    dock.cancel("A-2")

    label = staff.get(f"/admin/shipping/shipment/{shipment.pk}/label/")
    void = staff.get(f"/admin/shipping/shipment/{dock.shipment('A-2').pk}/label/", follow=True)

    assert label["Content-Type"] == "application/pdf"
    assert "no-store" in label["Cache-Control"]
    assert label.content.startswith(b"%PDF-")
    assert (
        f"{shipment.pk}/label/"
        in staff.get(f"/admin/shipping/shipment/{shipment.pk}/change/").content.decode()
    )
    assert "No label: shipping.label_void" in void.content.decode()


def test_nobody_prints_a_label_who_may_not_see_parcels(dock: Dock, client: Client) -> None:
    dock.book("A-1")
    client.force_login(User.objects.create_user("otto", is_staff=True))

    assert client.get(f"/admin/shipping/shipment/{dock.shipment('A-1').pk}/label/").status_code == 404


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT id FROM shipping_shipment WHERE surplus <> '{}' ORDER BY id LIMIT 5", "surplus"),
        ("SELECT id FROM shipping_shipment WHERE state = 'label_bought' ORDER BY id LIMIT 5", "to_hand_over"),
        ("SELECT id FROM shipping_shipment WHERE state = 'handed_over' ORDER BY id LIMIT 5", "to_deliver"),
        ("SELECT id FROM shipping_shipment WHERE ask_at <= now() ORDER BY ask_at LIMIT 5", "to_ask"),
    ],
)
def test_work_lists_are_read_from_their_own_index(sql: str, index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert f"shipping_shipment_{index}" in plan
