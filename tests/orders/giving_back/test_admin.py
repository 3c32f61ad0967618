"""Staff can look at credit notes and imported files, and change none."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from orders.models import CreditNote, ImportFile
from tests.orders.factories import NOW, a_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def note() -> CreditNote:
    """A note that belongs to no order."""
    return CreditNote.objects.create(
        shop=a_shop(), reference="C-1", kind="return", state="credited", currency="GBP", amount_minor=1_050,
        credit_minor=1_050, issued_at=NOW, made_at=NOW, moved_at=NOW,
    )  # fmt: skip


def test_a_note_shows_what_is_owed(admin_client: Client, note: CreditNote) -> None:
    listed = admin_client.get(reverse("admin:orders_creditnote_changelist"))
    page = admin_client.get(reverse("admin:orders_creditnote_change", args=[note.pk]))

    assert "10.50 GBP" in listed.content.decode()
    assert (page.status_code, "C-1" in page.content.decode()) == (200, True)


def test_a_note_is_found_by_its_reference(admin_client: Client, note: CreditNote) -> None:
    listed = admin_client.get(reverse("admin:orders_creditnote_changelist"), {"q": "C-2"})

    assert "10.50 GBP" not in listed.content.decode()


def test_a_note_cannot_be_changed(admin_client: Client, note: CreditNote) -> None:
    answer = admin_client.post(
        reverse("admin:orders_creditnote_change", args=[note.pk]), {"state": "applied"}
    )

    assert answer.status_code == 403
    note.refresh_from_db()
    assert note.state == "credited"


def test_an_imported_file_shows_its_counts(admin_client: Client) -> None:
    file = ImportFile.objects.create(
        shop=a_shop(), format="online-retail", name="orders.csv", digest="0", state="finished", began_at=NOW,
        rows_read=7, rows_imported=6, rows_reported=1,
    )  # fmt: skip

    listed = admin_client.get(reverse("admin:orders_importfile_changelist"))
    page = admin_client.get(reverse("admin:orders_importfile_change", args=[file.pk]))

    assert "orders.csv" in listed.content.decode()
    assert page.status_code == 200
