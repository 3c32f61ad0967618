"""A shop whose books balance, with orders in every end state: what the audit's tests damage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.conf import settings
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from config.audit.listing import Listing
from orders.models import FulfilmentOrder
from orders.parcelling.cancelling import Because, cancel_parcel
from orders.parcelling.commands import ask_parcel
from orders.refunding.commands import ask_refund, decline_refund
from orders.refunding.rules import Wanted
from orders.returns.aggregate import Finding as Inspection
from payments.commands.repaying import repay_refund
from payments.models import Refund
from sagas.clock import database_now
from tests.config.trading import traded
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Fulfilment
from tests.scenarios.returning import Desk


@pytest.fixture(scope="module")
def books(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, sandbox: SandboxProcess
) -> Iterator[Listing]:
    """A shop with orders in every end state, whose books balance; what the providers say of it.

    It stays open for all tests of this file: each undoes its own damage.
    """
    with traded(django_db_blocker, sandbox, _trade) as found:
        yield found


def _trade(shop: Fulfilment) -> None:
    shop.shelve(MUG=50)
    for reference, pieces in (
        ("SENT", 2),
        ("DONE", 1),
        ("BACK", 3),
        ("FREE", 1),
        ("PART", 2),
        ("BANK", 1),
        ("COME", 5),
    ):
        shop.order(reference, MUG=pieces, price_minor=0 if reference == "FREE" else 500)
    shop.settle()
    shop.hand_over()
    _refund(shop)
    _return(shop)
    shop.given("payments.authorize_payment", "POOR", refuses="lost_card")
    shop.given("shipping.book_shipment", "FAR", refuses="country_not_served")
    shop.given("shipping.book_shipment", "ODD", refuses="address_unknown")
    for reference, pieces in (("GOOD", 1), ("GONE", 2), ("POOR", 1), ("FAR", 1), ("ODD", 1), ("NONE", 990)):
        shop.order(reference, MUG=pieces)
    shop.settle()
    shop.cancel("GONE")
    shop.credit("BACK", amount_minor=1000, MUG=2)
    shop.credit(None, amount_minor=250, MUG=1)
    shop.act("retry", "GOOD")
    shop.settle()
    _ship_in_parcels(shop)


def _ship_in_parcels(shop: Fulfilment) -> None:
    """Three mugs in parcels: one is ready, one was ready and cancelled, one is free. Of two others both are ready."""
    shop.order_in_parcels("BITS", MUG=3)
    shop.settle()
    for _ in range(2):
        ask_parcel(shop.row("BITS").pk, {1: 1}, actor="ada", reason="it is here", now=database_now())
        shop.settle()
    first = FulfilmentOrder.objects.get(number=1)
    because = Because(actor="ada", reason="it is broken")
    cancel_parcel(first.order_id, first.pk, because=because, now=database_now())
    shop.order_in_parcels("LAST", MUG=2)
    shop.settle()
    ask_parcel(shop.row("LAST").pk, {}, actor="ada", reason="it is here", now=database_now())
    shop.settle()


def _refund(shop: Fulfilment) -> None:
    """One refund that the provider cannot pay and the bank does, one of a single piece, and one that is declined."""
    now = database_now()
    shop.given("payments.refund_payment", refuses="account_closed")
    ask_refund(shop.row("BANK").pk, Wanted(whole=True), actor="bob", reason="crack", now=now)
    shop.settle()
    shop.sandbox.control("DELETE", "/sandbox/scripts")
    failed = Refund.objects.get(state="failed")
    repay_refund(failed.pk, reference="BT-1", actor="ada", reason="account closed", now=now)
    ask_refund(shop.row("PART").pk, Wanted(pieces={1: 1}), actor="bob", reason="crack", now=now)
    shop.settle()
    with override_settings(WAYBILL=replace(settings.WAYBILL, refund_limit=0)):
        waits = ask_refund(shop.row("PART").pk, Wanted(amount_minor=1), actor="bob", reason="crack", now=now)
    decline_refund(waits.pk, actor="ada", reason="no crack", now=now)


def _return(shop: Fulfilment) -> None:
    """One return of which a piece was rejected and one is damaged, one that waits, and one that was withdrawn."""
    desk = Desk(shop, "COME")
    desk.ask({1: 3})
    desk.receive({1: 3})
    desk.inspect(Inspection(1, 2, 1, "worn", 1))
    desk.ask({1: 1})
    desk.ask({1: 1})
    desk.withdraw(3)
    shop.settle()
    assert desk.states() == ["closed", "requested", "withdrawn"]
