"""A row of the read side is a function of the events: of which were taken in, and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from orders.read_side.fold import TYPES, fold
from sagas.clock import database_now
from sagas.log import Recorded, recorded
from sagas.sql import execute, rows
from shipping.commands import deliver_parcels, pick_up
from tests.scenarios.house import House

TABLES = ("orders_orderview", "orders_ordersummary", "orders_orderviewsku")
LOG = """
SELECT era, xid, position, stream, version, type, schema_version, data, metadata, at FROM sagas_event
 WHERE type = ANY(%s) ORDER BY era, xid, position
"""


def events() -> list[Recorded]:
    """Everything the view is made of, in the order of the feed."""
    return [recorded(row) for row in rows(LOG, [[cls.type for cls in TYPES]])]


def contents(slot: int) -> dict[str, list[Any]]:
    """All rows of one slot."""
    return {
        table: [
            row[0]
            for row in rows(f"SELECT to_jsonb(t) - 'slot' FROM {table} t WHERE slot = %s ORDER BY 1", [slot])
        ]
        for table in TABLES
    }


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
