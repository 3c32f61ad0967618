"""A shop that ships in parcels: what its people do, and how an order stands, in few words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orders.models import FulfilmentOrder
from orders.parcelling.cancelling import Because, cancel_parcel
from orders.parcelling.commands import ask_parcel
from sagas.clock import database_now
from sagas.ids import uuid7
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Fulfilment, in_business

WHY = Because(actor="ada", reason="it will never come")


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop whose orders are shipped in parcels. At the end of the test the books have to balance."""
    with in_business(sandbox) as business:
        business.shelve(MUG=10, TEA=10)
        yield business
        assert business.breaches() == []


def confirmed(shop: Fulfilment, **skus: int) -> None:
    """An order in parcels that is confirmed: its goods and 1.01 for its shipping."""
    shop.order_in_parcels(charges_minor=101, **skus)
    shop.settle()


def ask(shop: Fulfilment, pieces: dict[int, int] | None = None) -> FulfilmentOrder:
    """Somebody asks for a parcel with these pieces, or with everything that is free."""
    return ask_parcel(shop.row().pk, pieces or {}, actor="ada", reason="it is here", now=database_now())


def packed(shop: Fulfilment, pieces: dict[int, int] | None = None) -> None:
    """A parcel with these pieces, paid for and ready."""
    ask(shop, pieces)
    shop.settle()


def cancel(shop: Fulfilment, number: int) -> None:
    """Somebody wants one parcel back."""
    found = FulfilmentOrder.objects.filter(order_id=shop.row().pk, number=number).first()
    cancel_parcel(shop.row().pk, found.pk if found else uuid7(), because=WHY, now=database_now())


def claims(shop: Fulfilment) -> list[tuple[int, str, int]]:
    """What is claimed of A-1: number, state and share."""
    found = FulfilmentOrder.objects.filter(order_id=shop.row().pk).order_by("number")
    return list(found.values_list("number", "state", "share_minor"))


def money(shop: Fulfilment) -> tuple[str, int, int]:
    """Where the payment stands, what was captured and what went back."""
    payment = shop.payment()
    return payment.state, payment.captured_minor, payment.refunded_minor


def counted(shop: Fulfilment) -> list[tuple[int, int, int, int]]:
    """What each line of A-1 says of its pieces: ordered, cancelled, returned, refunded."""
    lines = shop.row().lines.order_by("position")
    return list(lines.values_list("quantity", "cancelled_quantity", "returned_quantity", "refunded_quantity"))
