"""What payments tells of refunds meets the sagas that close them."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from orders.models import RefundRequest
from orders.refunding import receivers, requests
from payments.contract import RefundFailed, RefundRepaid, RefundReturned
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.sql import rows
from tests.orders.giving_back.house import House
from tests.orders.refunding.asking import part, stands
from tests.payments.test_races import at_once
from tests.waiting import eventually

BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def told(kind: Any, saga_id: UUID | None, **more: Any) -> Any:
    """One fact of payments about the refund of a saga."""
    ids = dict.fromkeys(("payment_id", "order_id", "shop_id", "refund_id"), uuid7())
    return SimpleNamespace(event=kind(**ids, saga_id=saga_id, amount_minor=300, currency="GBP", **more))


def test_news_of_many_refunds_and_their_sagas_take_the_requests_in_one_order(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [house.fulfilled(name, MUG=2) for name in ("A-1", "A-2")]
    first, second = (part(order, 300) for order in orders)
    news = [
        told(RefundFailed, second.saga_id, code="account_closed"),
        told(RefundRepaid, first.saga_id, reference="BT-1"),
    ]

    half = Event()

    def in_between(*_: Any, **__: Any) -> None:
        half.set()
        eventually(lambda: rows(BLOCKED)[0][0] > 0)

    def hear() -> None:
        with transaction.atomic():
            receivers.on_refunds(events=news, now=database_now())

    def close() -> None:
        assert half.wait(timeout=10)
        with transaction.atomic():
            requests.of_sagas([one.saga_id for one in (first, second) if one.saga_id])

    monkeypatch.setattr(requests, "note_returned", in_between)

    at_once(hear, close)

    found = {one.pk: one for one in RefundRequest.objects.all()}
    assert (found[second.pk].state, found[first.pk].repaid_at is not None) == ("owed", True)


def test_what_was_paid_another_way_stays_so_if_its_return_is_told_late(house: House) -> None:
    request = part(house.fulfilled(MUG=2), 300)
    house.settle()

    for news in (
        told(RefundRepaid, request.saga_id, reference="BT-1"),
        told(RefundReturned, request.saga_id, code="account_closed"),
    ):
        receivers.on_refunds(events=[news], now=database_now())

    assert stands(request) == ("paid", 300, 0, 0)


def test_a_failure_that_is_told_after_the_refund_was_paid_changes_nothing(house: House) -> None:
    request = part(house.fulfilled(MUG=2), 300)
    house.settle()

    late = told(RefundFailed, request.saga_id, code="insufficient_funds")
    receivers.on_refunds(events=[late], now=database_now())

    assert stands(request) == ("paid", 300, 0, 0)
