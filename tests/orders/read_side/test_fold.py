"""A row of the read side is a function of the events: of which were taken in, and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from orders.read_side.fold import fold
from sagas.clock import database_now
from sagas.log import Recorded
from sagas.sql import execute
from shipping.commands import deliver_parcels, pick_up
from tests.orders.read_side.taking_in import TABLES, contents, events
from tests.scenarios.house import House


def built(batches: Sequence[Sequence[Recorded]]) -> dict[str, list[Any]]:
    """What these batches make of an empty slot."""
    for table in TABLES:
        execute(f"DELETE FROM {table} WHERE slot = 2")
    for batch in batches:
        fold(batch, slot=2)
    return contents(2)


def cut(found: Sequence[Recorded], size: int) -> list[Sequence[Recorded]]:
    return [found[at : at + size] for at in range(0, len(found), size)]


@pytest.fixture
def story(house: House) -> list[Recorded]:
    """Orders that ended in many ways, and what the log says of them."""
    house.receive(MUG=20, TEA=5)
    for reference in ("SENT", "GONE", "PART"):
        house.order(reference, MUG=2, TEA=1)
    house.order("POOR", MUG=999)
    house.settle()
    pick_up(house.carrier, now=database_now())
    deliver_parcels(house.carrier, now=database_now())
    house.order("LATE", MUG=1)
    house.settle()
    house.cancel("LATE")
    house.settle()
    house.order("SOON", MUG=1)
    house.cancel("SOON")
    house.settle()
    return events()


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_it_does_not_matter_where_batches_end(story: list[Recorded], size: int) -> None:
    live = contents(1)

    assert built(cut(story, size)) == live
    assert len(live["orders_orderview"]) == 6


@pytest.mark.parametrize("seed", range(5))
def test_it_does_not_matter_in_which_order_events_come_nor_how_often(
    story: list[Recorded], seed: int
) -> None:
    chance = random.Random(seed)
    mixed = story + chance.sample(story, len(story) // 2)
    chance.shuffle(mixed)

    assert built(cut(mixed, chance.randint(1, 9))) == contents(1)
