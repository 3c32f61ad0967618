"""Staff see the money and cannot touch it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from payments.models import Payment
from tests.payments.factories import a_payment
from tests.payments.letters import Postman
from tests.payments.till import Till


@pytest.fixture
def staff(db: None, client: Client) -> Client:
    """A superuser, who may do whatever anybody may."""
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.mark.parametrize("page", ["payment", "refund", "journalentry"])
def test_the_lists_open_with_a_fixed_number_of_statements_and_no_full_count(
    till: Till, staff: Client, django_assert_max_num_queries: Any, page: str
) -> None:
    for n in range(20):
        till.captured(f"A-{n}")
        till.refund(f"A-{n}/C-1", refund=100, credit=5)

    with django_assert_max_num_queries(6) as seen:
        answer = staff.get(f"/admin/payments/{page}/")

    assert answer.status_code == 200
    assert b"GBP" in answer.content
    assert not [q for q in seen.captured_queries if "count(*)" in q["sql"].lower()]


def test_a_payments_page_tells_its_refunds_and_its_ledger(till: Till, staff: Client) -> None:
    till.captured("A-1")
    till.refund("A-1/C-1", refund=400)

    answer = staff.get(f"/admin/payments/payment/{till.payment('A-1').pk}/change/")

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "succeeded 400 GBP" in text
    assert "provider_clearing 1000 GBP, sales -1000 GBP" in text


def test_f26_a_payments_page_tells_its_shares(till: Till, staff: Client) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    till.gateway.script("capture", "A-1", "decline", code="processing_error")
    till.share("A-1/p2", 400)

    text = staff.get(f"/admin/payments/payment/{till.payment('A-1').pk}/change/").content.decode()

    assert "<div>succeeded 300 GBP </div><div>failed 400 GBP processing_error</div>" in text


def test_f34_a_payments_page_tells_its_disputes_and_the_list_finds_what_is_flagged(
    postman: Postman, till: Till, staff: Client
) -> None:
    till.captured("A-1")
    till.captured("A-2")
    till.gateway.dispute(
        till.payment("A-1").provider_id, "dp_7", evidence_due_by=datetime(2026, 1, 20, tzinfo=UTC)
    )
    postman.tell_of_dispute("dp_7")
    postman.read()

    page = staff.get(f"/admin/payments/payment/{till.payment('A-1').pk}/change/").content.decode()
    flagged = staff.get("/admin/payments/payment/", {"flag__exact": "disputed"}).content.decode()

    assert "dp_7 needs_response 1000 GBP, evidence due 2026-01-20 00:00 UTC" in page
    assert ("A-1" in flagged, "A-2" in flagged) == (True, False)


@pytest.mark.parametrize(
    ("state", "code", "told"),
    [
        (Payment.State.DECLINED, "stolen_card", "final"),
        (Payment.State.DECLINED, "try_again_later", "retry_later"),
        (Payment.State.CAPTURE_FAILED, "expired_card", "ask_customer"),
    ],
)
def test_a_declined_payment_says_what_may_help(
    staff: Client, state: Payment.State, code: str, told: str
) -> None:
    payment = a_payment(state=state, code=code)

    answer = staff.get(f"/admin/payments/payment/{payment.pk}/change/")

    assert f'<div class="readonly">{told}</div>' in answer.content.decode()


def test_a_payment_that_was_not_declined_needs_no_help(staff: Client) -> None:
    answer = staff.get(f"/admin/payments/payment/{a_payment().pk}/change/")

    assert "ask_customer" not in answer.content.decode()


def test_f80_nobody_edits_adds_or_deletes_a_payment(staff: Client) -> None:
    payment = a_payment()
    page = f"/admin/payments/payment/{payment.pk}"

    codes = [
        staff.post(f"{page}/change/", {"state": "captured"}).status_code,
        staff.post(f"{page}/delete/", {"post": "yes"}).status_code,
        staff.get("/admin/payments/payment/add/").status_code,
    ]

    assert codes == [403, 403, 403]
    assert Payment.objects.get().state == Payment.State.AUTHORIZED


@pytest.mark.parametrize("wanted", ["no uuid at all", "pi_77"])
def test_a_search_finds_by_the_providers_id_and_takes_any_text(staff: Client, wanted: str) -> None:
    a_payment(provider_id="pi_77", reference="A-77")

    answer = staff.get("/admin/payments/payment/", {"q": wanted})

    assert answer.status_code == 200
    assert (b"A-77" in answer.content) == (wanted == "pi_77")
