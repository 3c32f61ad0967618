"""Each check on disputes, and on refunds that banks have overtaken, sees what it is there to see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from config.audit import audit, checks
from config.audit.listing import Listing
from orders.refunding.commands import ask_refund
from orders.refunding.ending import close_owed
from orders.refunding.rules import Wanted
from payments.loops import ask_disputes
from sagas import operate
from sagas.clock import database_now
from tests.config.damage import Damage, another, damaged, listing, of, sql
from tests.config.damages import DAMAGES
from tests.config.trading import traded
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Fulfilment, sandbox

__all__ = ["sandbox"]

pytestmark = pytest.mark.django_db(transaction=True)


def dispute(found: Listing, ident: str) -> dict[str, Any]:
    """A dispute in the gateway's list."""
    return next(d for d in found.disputes if d["id"] == ident)


OF_DISPUTES: list[tuple[str, Damage]] = [
    ("i02e_banks_and_refunds_take_no_more_than_there_is", sql(
        "ALTER TABLE payments_payment DROP CONSTRAINT payments_payment_banks_take_at_most_captured",
        f"UPDATE payments_payment SET disputed_minor = 501 WHERE order_id = {of('OPEN')}", tells="500, 0, 501, 0",
        also=("i03g_disputes_are_booked",),
    )),
    ("i02e_banks_and_refunds_take_no_more_than_there_is", sql(
        f"UPDATE payments_payment SET refunded_minor = 500 WHERE order_id = {of('LOST')}",
        "UPDATE payments_refund SET state = 'succeeded', made_at = now() + interval '1 day' WHERE state = 'refused'",
        tells="500, 500, 0, 500",
        also=("i08f_refund_requests_end", "i10d_payments_equal_their_events",
              "i10n_refunds_and_credits_equal_their_events", "i10u_disputes_stand_where_their_events_left_them",
              "i12b_views_equal_payments_goods_and_parcels"),
    )),
    ("i03g_disputes_are_booked", sql(
        "DELETE FROM payments_journalline l USING payments_journalentry e WHERE e.id = l.entry_id"
        " AND e.kind = 'dispute_lost'",
        "DELETE FROM payments_journalentry WHERE kind = 'dispute_lost'",
        tells="dispute dp_lost, lost, 500, 500, 0, 0",
    )),
    ("i03g_disputes_are_booked", sql(
        f"UPDATE payments_payment SET charged_back_minor = 0 WHERE order_id = {of('LOST')}",
        tells="dispute_lost, 0, 0, 0, 500",
    )),
    ("i03g_disputes_are_booked", sql(
        "UPDATE payments_disputefee SET amount_minor = 1400 WHERE dispute_id IN (SELECT id FROM payments_dispute"
        " WHERE provider_id = 'dp_open')", tells="fee of dispute dp_open, EUR, 1400, 1500",
    )),
    ("i03h_disputes_equal_the_providers", listing(
        lambda p: dispute(p, "dp_won").update(status="lost"), tells="dp_won, won, lost",
        also=("i03b_ledger_equals_provider",),
    )),
    ("i03h_disputes_equal_the_providers", listing(
        lambda p: p.disputes.append(another(dispute(p, "dp_won"), id="dp_stray")), tells="dp_stray",
    )),
    ("i03h_disputes_equal_the_providers", sql(
        "UPDATE payments_dispute SET inquiry = true, withdrawn_minor = 0 WHERE provider_id = 'dp_open'",
        tells="dp_open", also=("i03g_disputes_are_booked",),
    )),
    ("i06e_disputed_goods_stay", sql(
        f"UPDATE shipping_hold SET held = true, moved_at = now() - interval '1 hour' WHERE order_id = {of('WON')}",
        tells="order WON",
    )),
    ("i10u_disputes_stand_where_their_events_left_them", sql(
        "DELETE FROM sagas_event WHERE type = 'payments.DisputeClosed' AND data ->> 'provider_dispute' = 'dp_won'",
        tells="dp_won, won, 1, 0", also=("i10f_payments_stand_where_their_events_left_them",),
    )),
    ("i10u_disputes_stand_where_their_events_left_them", sql(
        "UPDATE payments_dispute SET state = 'under_review', closed_at = NULL WHERE provider_id = 'dp_won'",
        tells="dp_won, under_review, 1, 1",
        also=("i03g_disputes_are_booked", "i03h_disputes_equal_the_providers"),
    )),
    ("i10u_disputes_stand_where_their_events_left_them", sql(
        "UPDATE sagas_event SET data = data || '{\"amount_minor\": 1}' WHERE type = 'payments.RefundRefused'",
        tells="refused, 500, 1, payments.dispute_lost",
    )),
    ("i03d_owed_is_promised", sql(
        "UPDATE payments_refund SET state = 'failed' WHERE state = 'refused'", tells="500, 0",
        also=("i08f_refund_requests_end", "i10u_disputes_stand_where_their_events_left_them"),
    )),
    ("i08f_refund_requests_end", sql(
        "UPDATE orders_refundrequest SET dropped_minor = 400 WHERE state = 'closed'", tells="closed",
        also=("i10q_refund_requests_equal_their_events",),
    )),
    ("i10q_refund_requests_equal_their_events", sql(
        "UPDATE orders_refundrequest SET state = 'refused', closed_by = '', closed_reason = '' WHERE state = 'closed'",
        tells="refused",
    )),
]  # fmt: skip


@pytest.fixture(scope="module")
def books(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, sandbox: SandboxProcess
) -> Iterator[Listing]:
    """A shop with a dispute in every end state; what the providers say of it. Each test undoes its own damage."""
    with traded(django_db_blocker, sandbox, _trade) as found:
        yield found


def _trade(shop: Fulfilment) -> None:
    shop.shelve(MUG=50)
    for reference in ("OPEN", "WON", "LOST", "ASKED", "OWED"):
        shop.order(reference, MUG=1)
    shop.settle()
    for reference, status in (("OPEN", ""), ("WON", ""), ("LOST", ""), ("OWED", ""), ("ASKED", "warning_")):
        _bank(shop, reference, f"{status}needs_response")
    waits = ask_refund(
        shop.row("LOST").pk, Wanted(whole=True), actor="bob", reason="crack", now=database_now()
    )
    owed = ask_refund(
        shop.row("OWED").pk, Wanted(whole=True), actor="bob", reason="crack", now=database_now()
    )
    shop.settle_now()
    assert waits.saga_id is not None
    assert owed.saga_id is not None
    operate.skip_step(
        owed.saga_id, "payments.refund_payment", {}, actor="ada", reason="in cash", now=database_now()
    )
    shop.settle()
    close_owed(owed.pk, actor="ada", reason="in cash", now=database_now())
    for reference, status in (("WON", "won"), ("LOST", "lost"), ("ASKED", "warning_closed")):
        _bank(shop, reference, status)
    shop.hand_over()


def _bank(shop: Fulfilment, reference: str, status: str) -> None:
    """The bank opens a dispute or decides on it, and we find out."""
    doing = {
        "what": "dispute",
        "intent": shop.payment(reference).provider_id,
        "id": f"dp_{reference.lower()}",
    }
    shop.sandbox.control("POST", "/sandbox/doings", doing | {"status": status})
    ask_disputes(now=database_now())
    shop.settle_now()


def test_there_is_a_damage_for_each_check() -> None:
    assert {*DAMAGES, *(name for name, _ in OF_DISPUTES)} == {check.name for check in checks()}


def test_the_books_of_a_shop_with_disputes_balance(books: Listing) -> None:
    assert [f for f in audit(books) if f.breaches or f.skipped] == []


@pytest.mark.parametrize(("name", "damage"), OF_DISPUTES)
def test_what_is_wrong_with_a_dispute_is_found(books: Listing, name: str, damage: Damage) -> None:
    found = damaged(books, damage)

    assert set(found) == {name, *damage.also}
    assert any(damage.tells in example for example in found[name].examples), found[name].examples
