"""The page on which a person says what became of a share."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from payments.models import Capture
from tests.payments.till import Till


@pytest.fixture
def share(till: Till) -> Capture:
    """A share of 3.00 of which nobody knows what became of it."""
    till.hold("A-1")
    till.gateway.script("capture", "A-1", "do_then_drop", times=1)
    till.share("A-1/p1", 300)
    return till.share_row("A-1/p1")


def signed_in(*codes: str) -> Client:
    """A member of staff with these permissions."""
    user = User.objects.create_user("ada", "ada@waybill.invalid", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="payments", codename__in=codes)
    )
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(("outcome", "ends"), [("taken", "succeeded"), ("not_taken", "failed")])
def test_a_person_says_what_became_of_it(share: Capture, outcome: str, ends: str) -> None:
    ada = signed_in("settle_share")
    page = ada.get(reverse("money:share", args=[share.pk])).content.decode()

    answer = ada.post(
        reverse("money:settle_share", args=[share.pk]),
        {"outcome": outcome, "reason": "so says its page"},
        follow=True,
    )

    share.refresh_from_db()
    assert "Settle it by your word" in page
    assert share.state == ends
    assert "Recorded." in answer.content.decode()
    assert "Settle it by your word" not in answer.content.decode()


def test_it_takes_a_word_and_a_reason_and_is_said_once(share: Capture) -> None:
    ada = signed_in("settle_share")
    address = reverse("money:settle_share", args=[share.pk])
    whole = {"outcome": "taken", "reason": "so says its page"}

    answers = [ada.post(address, {**whole, "reason": ""}), ada.post(address, {**whole, "outcome": ""})]
    answers += [ada.post(address, whole), ada.post(address, whole)]

    assert [answer.status_code for answer in answers] == [400, 400, 302, 409]
    assert "it is succeeded" in answers[-1].content.decode()


def test_who_may_only_look_cannot_say_it(share: Capture) -> None:
    eve = signed_in("view_capture")

    page = eve.get(reverse("money:share", args=[share.pk]))
    answer = eve.post(
        reverse("money:settle_share", args=[share.pk]), {"outcome": "taken", "reason": "I want it"}
    )

    share.refresh_from_db()
    assert (page.status_code, answer.status_code) == (200, 403)
    assert "Settle it by your word" not in page.content.decode()
    assert share.state == "unknown"


def test_others_do_not_see_it(share: Capture) -> None:
    assert signed_in("view_refund").get(reverse("money:share", args=[share.pk])).status_code == 403


def test_a_payments_page_leads_there(share: Capture) -> None:
    payment = reverse("admin:payments_payment_change", args=[share.payment_id])

    page = signed_in("view_payment").get(payment).content.decode()

    assert reverse("money:share", args=[share.pk]) in page
