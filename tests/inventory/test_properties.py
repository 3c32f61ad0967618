"""Stock is conserved whatever is done, repeated or reordered: I4 after every single act."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from inventory import commands
from inventory.commands import ShippedMoreThanHeld
from inventory.models import Movement, Reservation
from sagas.sql import rows
from tests.conftest import Clock
from tests.inventory.warehouse import Warehouse, wrong_counters

SKUS = st.sampled_from(["MUG", "LAMP", "VASE"])
ORDERS = st.sampled_from([f"order {n}" for n in range(4)])
ACTS = st.sampled_from(["act 1", "act 2"])
LINES = st.dictionaries(SKUS, st.integers(1, 4), min_size=1)

STREAMS_WITHOUT_GAPS = """
SELECT r.id FROM inventory_reservation r
 WHERE r.version <> (SELECT count(*) FROM sagas_event e WHERE e.stream = r.id)
"""


class Stockroom(RuleBasedStateMachine):
    """Orders reserve, confirm, ship, give back and run out, in any order and more than once."""

    @initialize()
    def open(self) -> None:
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.warehouse = Warehouse(Clock())
        self.warehouse.receive(MUG=12, LAMP=6, VASE=3)
        self.warehouse.receive("west", MUG=3, VASE=6)

    @rule(location=st.sampled_from(["main", "west"]), goods=LINES)
    def receive(self, location: str, goods: dict[str, int]) -> None:
        self.warehouse.receive(location, **goods)

    @rule(sku=SKUS, quantity=st.integers(-9, 9), capped=st.booleans())
    def adjust(self, sku: str, quantity: int, capped: bool) -> None:
        move = self.warehouse.movement(sku, quantity, kind=Movement.Kind.ADJUSTMENT, capped=capped)
        commands.record_movements([move, move], now=self.warehouse.clock.now)

    @rule(sku=SKUS, counted=st.integers(5, 30))
    def count(self, sku: str, counted: int) -> None:
        move = self.warehouse.movement(sku, counted, kind=Movement.Kind.COUNT)
        commands.record_movements([move], now=self.warehouse.clock.now)

    @rule(batch=st.dictionaries(ORDERS, LINES, min_size=1))
    def reserve(self, batch: dict[str, dict[str, int]]) -> None:
        requests = [self.warehouse.request(order, **lines) for order, lines in batch.items()]
        commands.reserve_stock(requests, now=self.warehouse.clock.now)

    @rule(order=ORDERS)
    def release(self, order: str) -> None:
        self.warehouse.release(order)

    @rule(orders=st.lists(ORDERS, min_size=1))
    def confirm(self, orders: list[str]) -> None:
        self.warehouse.allocate(*orders)

    @rule(order=ORDERS, act=ACTS, whole=st.booleans(), lines=LINES)
    def withdraw(self, order: str, act: str, whole: bool, lines: dict[str, int]) -> None:
        self.warehouse.withdraw(order, f"{order} {act}", lines, whole=whole)

    @rule(order=ORDERS, act=ACTS, sku=SKUS)
    def ship_one_piece(self, order: str, act: str, sku: str) -> None:
        with suppress(ShippedMoreThanHeld), transaction.atomic():
            self.warehouse.ship(order, f"{order} parcel {act}", **{sku: 1})

    @rule(order=ORDERS)
    def ship_the_rest(self, order: str) -> None:
        for row in Reservation.objects.filter(order_id=self.warehouse.id(order), state__in=Reservation.OPEN):
            rest: Counter[str] = Counter()
            for line in row.lines.all():
                rest[line.sku] += line.open
            self.warehouse.ship(order, f"{order} last parcel", **rest)

    @rule(days=st.integers(1, 5))
    def wait(self, days: int) -> None:
        commands.expire_holds(now=self.warehouse.clock.forward(days=days))

    @rule()
    def fill_shorts(self) -> None:
        commands.fill_shorts(now=self.warehouse.clock.now)

    @invariant()
    def the_books_balance(self) -> None:
        assert wrong_counters() == []

    @invariant()
    def every_change_has_its_event(self) -> None:
        assert rows(STREAMS_WITHOUT_GAPS) == []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)


@pytest.mark.django_db
def test_stock_is_conserved_whatever_is_done_repeated_or_reordered() -> None:
    run_state_machine_as_test(
        Stockroom,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would outlast the time-out
            suppress_health_check=list(HealthCheck),
        ),
    )
