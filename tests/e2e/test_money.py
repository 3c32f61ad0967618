"""The page "Money" in a real browser: it fits, it reads in both schemes, and a case is resolved without scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from payments.commands.ledger import Entry, Kind, book, capture, settlement
from payments.reconciliation import cases, reads
from payments.reconciliation.compare import Finding
from payments.reconciliation.rows import Case, ReconciliationRun
from sagas.clock import database_now
from sagas.ids import uuid7
from tests.sagas.conftest import toy  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from playwright.sync_api import Page
else:
    Page = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: run `make e2e`"
    ).Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Open = Callable[..., Page]
Picture = Callable[[Page, str], None]


@pytest.fixture
def money(scene: Any) -> Case:
    """A night's work: one run that stopped, one that is through, and cases of several kinds."""
    reads.kept_balance.forget()
    now = database_now()
    shop = uuid7()
    lines = [(Kind.CAPTURE, capture(120_000, 120_000), "GBP"), (Kind.SETTLEMENT, settlement(120_000, 1_700), "GBP"),
             (Kind.CAPTURE, capture(98_000, 98_000), "JPY")]  # fmt: skip
    book(
        [Entry(kind=kind, source_id=uuid7(), shop_id=shop, order_id=None, payment_id=None, currency=currency,
               lines=booked) for kind, booked, currency in lines],
        at=now,
    )  # fmt: skip
    run = ReconciliationRun.objects.create(
        since=now - timedelta(days=1), until=now, phase="done", result="differences", compared=20_412,
        matched=20_398, in_flight=11, differences=3, started_at=now - timedelta(minutes=4), moved_at=now,
        finished_at=now, totals={"GBP": {"held": [0, 0], "captured": [120_000, 121_000], "refunded": [400, 400]}},
    )  # fmt: skip
    ReconciliationRun.objects.create(
        result="stopped", trouble="payments.unreachable connection refused", compared=4_000,
        started_at=now - timedelta(hours=1), moved_at=now - timedelta(hours=1),
    )  # fmt: skip
    sides = {"id": "pi_3OqJ2eLkdIwHu7ix0kO9w1aB", "state": "captured", "currency": "GBP"}
    cases.record(
        [
            Finding(kind=kind, about="payment", object_id=f"pi_3OqJ2eLkdIwHu7ix0kO9w1a{n}", at_stake_minor=1000 * n,
                    currency="GBP", reference=f"53636{n}", ours={**sides, "amount_minor": 12_000},
                    theirs={**sides, "amount_minor": 12_000 + 1000 * n, "key": str(uuid7())}, shop_id=shop)
            for n, kind in enumerate(("amount_differs", "unknown_to_us", "held_there_but_ended_here"), start=1)
        ],
        run=run.pk, now=now,
    )  # fmt: skip
    return Case.objects.get(kind="amount_differs")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 1360), ("light", 420)])
def test_the_money_page_and_a_case_fit(
    open_page: Open, money: Case, picture: Picture, scheme: str, width: int
) -> None:
    page = open_page("/staff/", scheme=scheme, width=width)
    for name, address in {"money": "/staff/money/", "case": reverse("money:case", args=[money.pk])}.items():
        answer = page.goto(address)
        picture(page, f"{name}-{scheme}-{width}")

        assert answer is not None
        assert answer.status == 200
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            f"{name} is too wide"
        )


def test_a_case_is_resolved_without_scripts(open_page: Open, money: Case) -> None:
    page = open_page("/staff/", scripts=False)
    page.get_by_role("link", name="Money", exact=True).click()
    page.get_by_role("link", name="amount differs", exact=True).click()
    page.get_by_label("How it was settled").select_option("corrected_there")
    page.get_by_label("Reason").fill("the provider has booked it right")
    page.get_by_role("button", name="Resolve").click()

    page.get_by_text("The case is resolved.").wait_for()
    money.refresh_from_db()
    assert (money.state, money.how, money.resolved_by) == ("resolved", "corrected_there", "olga")
