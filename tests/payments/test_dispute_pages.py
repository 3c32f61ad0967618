"""F34: staff and shops see what banks want back, and by when evidence is due."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from payments.api.serializers import PaymentDetailOut
from payments.gateways.base import DisputeStatus
from payments.gauges import read
from payments.models import Dispute
from payments.queries import open_disputes, payment_detail, urgency
from sagas.clock import database_now
from tests.payments.letters import Postman
from tests.payments.till import Till


def staff(*codes: str) -> Client:
    """A member of staff with these permissions."""
    user = User.objects.create_user("ada", "ada@waybill.invalid", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client = Client()
    client.force_login(user)
    return client


def words(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def raised(till: Till, postman: Postman, reference: str, due: datetime | None, **more: Any) -> Dispute:
    """A dispute of a payment, told and read."""
    till.captured(reference)
    ident = f"dp_{reference}"
    till.gateway.dispute(till.payment(reference).provider_id, ident, evidence_due_by=due, **more)
    postman.tell_of_dispute(ident)
    postman.read()
    return Dispute.objects.get(provider_id=ident)


def test_f34_open_disputes_are_listed_by_the_date_of_their_evidence(till: Till, postman: Postman) -> None:
    now = database_now()
    raised(till, postman, "later", now + timedelta(days=9))
    raised(till, postman, "never", None)
    raised(till, postman, "gone", now - timedelta(days=1))
    raised(till, postman, "soon", now + timedelta(days=2))
    raised(till, postman, "lost", now, status=DisputeStatus.LOST)

    page = words(staff("view_dispute").get(reverse("money:disputes")))

    order = ["gone", "soon", "later", "never"]
    assert [one.payment.reference for one in open_disputes()] == order
    assert [urgency(one, now=now) for one in open_disputes()] == ["overdue", "soon", "later", "none"]
    places = [page.index(f"dp_{name}") for name in (*order, "lost")]
    assert places == sorted(places)
    assert ("overdue" in page, "needs response" in page, "10.00 GBP" in page) == (True, True, True)


def test_one_dispute_says_where_it_stands_and_what_to_do(till: Till, postman: Postman) -> None:
    one = raised(till, postman, "A-1", database_now() + timedelta(days=2))

    page = words(staff("view_dispute").get(reverse("money:dispute", args=[one.pk])))

    assert "Nothing is paid back of this payment until the bank has decided." in page
    assert "Evidence due" in page
    assert one.evidence_due_by is not None
    assert f"{one.evidence_due_by:%Y-%m-%d %H:%M} UTC" in page
    assert "Taken from us for it 10.00 GBP" in page


@pytest.mark.parametrize("name", ["disputes", "dispute"])
def test_f78_who_may_not_look_sees_nothing(till: Till, postman: Postman, name: str) -> None:
    one = raised(till, postman, "A-1", None)
    address = reverse(f"money:{name}", args=[one.pk] if name == "dispute" else [])

    assert staff("view_refund").get(address).status_code == 403
    assert Client().get(address).status_code == 302


def test_the_admin_shows_disputes_and_changes_none(till: Till, postman: Postman) -> None:
    one = raised(till, postman, "A-1", None)
    ada = staff("view_dispute", "change_dispute")

    listed = ada.get("/admin/payments/dispute/").content.decode()
    changed = ada.post(f"/admin/payments/dispute/{one.pk}/change/", {"state": "won"})

    assert "dp_A-1" in listed
    assert changed.status_code == 403
    assert Dispute.objects.get().state == "needs_response"


def test_the_shop_reads_it_with_the_payment(till: Till, postman: Postman) -> None:
    due = database_now() + timedelta(days=2)
    one = raised(till, postman, "A-1", due, amount_minor=400)

    detail = payment_detail(till.id("A-1"), till.shop_id)

    assert detail is not None
    [told] = PaymentDetailOut(detail).data["disputes"]
    assert (told["id"], told["provider_id"], told["state"]) == (str(one.pk), "dp_A-1", "needs_response")
    assert (told["amount_minor"], told["currency"], told["reason"]) == (400, "GBP", "fraud")
    assert (datetime.fromisoformat(told["evidence_due_by"]), told["closed_at"]) == (due, None)


def test_open_disputes_are_counted_by_how_soon_their_evidence_is_due(till: Till, postman: Postman) -> None:
    now = database_now()
    raised(till, postman, "soon", now + timedelta(days=2))
    raised(till, postman, "gone", now - timedelta(days=1))
    raised(till, postman, "seen", now, status=DisputeStatus.UNDER_REVIEW)
    raised(till, postman, "lost", now, status=DisputeStatus.LOST)

    [gauge] = [metric for metric in read() if metric.name == "waybill_disputes_open"]

    assert {s.labels["due"]: s.value for s in gauge.samples} == {
        "overdue": 1,
        "soon": 1,
        "later": 0,
        "none": 1,
    }
