"""What staff see and may do with inventory: everything explained, nothing changed by hand."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from inventory.models import Location, Movement, Reservation, Stock
from tests.inventory.warehouse import Warehouse

pytestmark = pytest.mark.django_db
PAGES = ("location", "stock", "movement", "reservation")


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff"))
    return client


@pytest.fixture
def stocked(warehouse: Warehouse) -> Warehouse:
    warehouse.receive(MUG=10, LAMP=4)
    warehouse.reserve("order", MUG=3, LAMP=2)
    warehouse.withdraw("order", "cancel", {"MUG": 1})
    return warehouse


def test_every_list_shows_its_rows_without_a_query_per_row(
    stocked: Warehouse, staff: Client, django_assert_max_num_queries: object
) -> None:
    stocked.receive(**{f"SKU{n}": 1 for n in range(40)})
    for page in PAGES:
        with django_assert_max_num_queries(8):  # type: ignore[operator]
            answer = staff.get(f"/admin/inventory/{page}/")
        assert answer.status_code == 200
    assert b"MUG" in staff.get("/admin/inventory/stock/?q=MUG").content
    assert b"SKU1" not in staff.get("/admin/inventory/stock/?q=MUG").content


def test_a_reservation_shows_what_was_promised_given_back_and_is_left(
    stocked: Warehouse, staff: Client
) -> None:
    page = staff.get(f"/admin/inventory/reservation/{stocked.reservation('order').pk}/change/")

    assert page.status_code == 200
    assert "3 × MUG at main: 1 given back, 0 shipped, 2 open" in page.content.decode()


def test_nothing_is_added_changed_or_deleted_by_hand(stocked: Warehouse, staff: Client) -> None:
    tables = [Location.objects, Stock.objects, Movement.objects, Reservation.objects]
    before = [table.count() for table in tables]
    for page, row in zip(PAGES, [table.first() for table in tables], strict=True):
        assert row is not None
        assert staff.post(f"/admin/inventory/{page}/add/", {}).status_code == 403
        assert staff.post(f"/admin/inventory/{page}/{row.pk}/change/", {"held": 0}).status_code == 403
        assert staff.post(f"/admin/inventory/{page}/{row.pk}/delete/", {"post": "yes"}).status_code == 403

    assert [table.count() for table in tables] == before


def test_a_location_is_made_once_and_can_get_another_priority(warehouse: Warehouse) -> None:
    shop = str(warehouse.shop_id)

    for priority in ("3", "1"):
        out = StringIO()
        call_command("create_location", shop, "west", "--priority", priority, stdout=out)

    assert out.getvalue() == "Location west has priority 1.\n"
    assert list(Location.objects.values_list("code", "priority")) == [("west", 1)]
