"""A person ends the saga of a parcel: its pieces are free for another, or it leaves as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from orders import commands
from orders.models import FulfilmentOrder
from orders.parcelling.cancelling import Because, cancel_parcel
from orders.parcelling.commands import ask_parcel
from sagas.clock import database_now
from shipping.contract import BOOK_SHIPMENT
from tests.sandbox_process import SandboxProcess
from tests.scenarios.ending import BACK, DONE, resolve, skip
from tests.scenarios.fulfilment import Fulfilment, in_business


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop in business. Whether its books balance is asked where a person left nothing undone."""
    with in_business(sandbox) as business:
        yield business


@pytest.fixture
def split(shop: Fulfilment) -> Fulfilment:
    """An order of two mugs in parcels."""
    shop.shelve(MUG=10)
    shop.order_in_parcels(MUG=2)
    shop.settle()
    return shop


def parcel(shop: Fulfilment, *, without: str) -> UUID:
    asked = ask_parcel(shop.row().pk, {1: 1}, actor="ada", reason="it is here", now=database_now())
    shop.settle(without=(without,))
    return asked.saga_id


def claims() -> list[str]:
    return list(FulfilmentOrder.objects.order_by("number").values_list("state", flat=True))


@pytest.mark.parametrize("how", [DONE, BACK], ids=["completed", "compensated"])
def test_a_parcel_whose_label_nobody_knows_is_given_up_and_its_pieces_go_in_another(
    split: Fulfilment, how: dict[str, Any]
) -> None:
    resolve(parcel(split, without=BOOK_SHIPMENT), how)

    assert claims() == ["given_up"]
    assert split.row().on_hold
    commands.clear_attention(split.row().pk, actor="ada", reason="seen", now=database_now())
    parcel(split, without="")
    assert claims() == ["given_up", "ready"]
    assert split.breaches() == []


@pytest.mark.parametrize("act", ["skip", "completed"])
def test_a_parcel_that_is_paid_is_ready(split: Fulfilment, act: str) -> None:
    saga = parcel(split, without="orders.ready_parcel")

    if act == "skip":
        skip(saga, "orders.ready_parcel", {"nothing_left": False})
    else:
        resolve(saga, DONE)

    assert claims() == ["ready"]


@pytest.mark.parametrize("act", ["skip", "completed", "compensated"])
def test_a_cancelled_parcel_is_cancelled_or_kept(split: Fulfilment, act: str) -> None:
    parcel(split, without="")
    because = Because(actor="ada", reason="never comes")
    saga = cancel_parcel(
        split.row().pk, FulfilmentOrder.objects.get().pk, because=because, now=database_now()
    )
    stop = "shipping.withdraw_shipment" if act == "compensated" else "orders.cancel_pieces"
    split.settle(without=(stop,))

    if act == "skip":
        skip(saga, stop, {"nothing_left": False})
    else:
        resolve(saga, {"as": act})
    split.settle()

    assert claims() == ["ready" if act == "compensated" else "cancelled"]
    assert split.breaches() == []
