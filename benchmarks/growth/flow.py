"""The full order flow on a running system: what its rows go through, table by table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psycopg

from benchmarks import stand
from benchmarks.growth import rows
from benchmarks.side_by_side import meters

WARM_UP = 200
#: Sent at a time; the next when all of it has come to rest.
CHUNK = 1_000


@dataclass(frozen=True)
class WornFlow:
    """The tables, and the log for an order, with all that an order sets off."""

    orders: int
    style: str
    tables: list[rows.TableFacts]
    wal_kb: float


def wear_flow(
    orders: int, *, style: str, settings: Mapping[str, str], say: Callable[[str], None]
) -> WornFlow:
    """Send so many orders through payment, inventory and shipping, and look at the tables."""
    with stand.own_folder() as folder:
        state = stand.begin(folder)
        with (
            stand.own_system(state) as stack,
            psycopg.connect(state.database_url, autocommit=True) as connection,
        ):
            from benchmarks.shopping import Shopper

            rows.store(connection, settings)
            shop = Shopper.open(stack.env["WAYBILL_SANDBOX_URL"])
            _send(shop.place, style, "warm", WARM_UP, say)
            stand.analyze()
            rows.begin(connection)
            before = meters.read(connection)
            _send(shop.place, style, "worn", orders, say)
            gone = meters.read(connection).since(before)
            return WornFlow(orders, style, rows.read(connection), gone.wal_bytes / 1024 / orders)


def _send(
    place: Callable[[str, str, int], None], style: str, name: str, orders: int, say: Callable[[str], None]
) -> None:
    for start in range(0, orders, CHUNK):
        place(style, f"{name}-{start}", min(CHUNK, orders - start))
        stand.wait_for_rest()
        say(f"{min(start + CHUNK, orders):,} orders of the full flow are through")
