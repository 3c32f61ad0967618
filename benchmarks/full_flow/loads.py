"""One load of each side: so many orders, from the first one placed until everybody is at rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings

from benchmarks import stand
from benchmarks.full_flow import calls, goods, side
from benchmarks.full_flow.bare import script
from benchmarks.full_flow.meters import Meters
from benchmarks.full_flow.rows import Counts
from benchmarks.full_flow.system import BY_HAND, System
from benchmarks.side_by_side import workload
from config.demo.run import at_rest, lagging
from config.embedded.state import DATABASE_NAME
from sagas.sql import rows

#: Orders in one call of the command that places them, and in one batch of the bare script.
BATCH = 100
#: No load is slower than this, or it is stuck.
SLOWEST = 20

# In the order of an index of open ones alone: whatever else there is costs nothing.
OPEN = (
    "SELECT EXISTS (SELECT FROM (SELECT id FROM sagas_saga WHERE finished_at IS NULL ORDER BY id LIMIT 1) s)"
)
UNCONFIRMED = "SELECT count(*) FROM orders_order WHERE external_reference LIKE %s AND state <> 'confirmed'"


@dataclass(frozen=True)
class Load:
    """What one load took: until the last order was confirmed, until all readers were at rest, and for each order.

    `grown` is how many rows came to each table, and what changed on the counters that orders share.
    """

    orders: int
    confirmed_seconds: float
    seconds: float
    costs: Mapping[str, float]
    grown: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Orders a second, all told."""
        return self.orders / self.seconds

    @property
    def confirmed_rate(self) -> float:
        """Orders a second until the last one was confirmed."""
        return self.orders / self.confirmed_seconds


class NotConfirmed(Exception):
    """Orders ended otherwise than they should. The message says how many."""


def waybill(system: System, style: str, name: str, orders: int, placed_at: datetime) -> Load:
    """Orders placed in bulk by this process and led by Waybill's workers. Raises Stuck or NotConfirmed."""
    return _counted(system, DATABASE_NAME, lambda: _waybill(system, style, name, orders, placed_at))


def by_hand(system: System, name: str, orders: int, placed_at: datetime) -> Load:
    """The same rows, in the other database."""
    task = script.Task(
        conninfo=system.conninfo(BY_HAND), shop=system.shop, name=name, orders=orders,
        placed_at=placed_at, batch=BATCH,
    )  # fmt: skip
    return _counted(system, BY_HAND, lambda: _aside(system, ("postgres",), script.prepare, task, orders))


def calls_by_hand(system: System, url: str, name: str, orders: int) -> Load:
    """The same calls, to the same sandbox."""
    task = calls.Task(
        url=url, name=name, orders=orders, shop_id=system.shop.id,
        concurrency=settings.WAYBILL.call_concurrency,
    )  # fmt: skip
    return _aside(system, ("sandbox",), calls.prepare, task, orders)


def _counted(system: System, database: str, load: Callable[[], Load]) -> Load:
    system.settle(database)
    with system.connect(database) as plain:
        before = Counts.read(plain)
        done = load()
        return replace(done, grown=Counts.read(plain).since(before))


def _waybill(system: System, style: str, name: str, orders: int, placed_at: datetime) -> Load:
    wanted, patience = workload.orders(name, orders), 60 + orders / SLOWEST
    groups = system.groups("workers", "postgres", "valkey", "keep", *system.sandbox)
    before, began = Meters.read(groups), time.monotonic()
    goods.place(system.shop, wanted, style=style, placed_at=placed_at, batch=BATCH)
    confirmed = stand.wait_until(lambda: not rows(OPEN)[0][0], look_seconds=0.02, within_seconds=patience)
    rest = stand.wait_until(at_rest, look_seconds=0.05, within_seconds=patience)
    # In no hurry, and no less work: readers that look now and then are in the costs, not in the time.
    stand.wait_until(lambda: not lagging(), look_seconds=1.0, within_seconds=patience)
    costs = Meters.read(groups).since(before, orders)
    if left := rows(UNCONFIRMED, [f"{name}-%"])[0][0]:
        raise NotConfirmed(f"{left} orders of {name} are not confirmed")
    return Load(orders, confirmed - began, rest - began, costs)


def _aside(
    system: System, groups: Sequence[str], prepare: side.Prepare[side.T], task: side.T, orders: int
) -> Load:
    meters = system.groups(*groups)
    before = Meters.read(meters)
    ran = side.run(prepare, task, processes=system.processes)
    costs = Meters.read(meters).since(before, orders)
    costs["cpu ms, by hand"] = ran.cpu_seconds * 1000 / orders
    return Load(orders, ran.seconds, ran.seconds, costs)
