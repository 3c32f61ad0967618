"""The full order flow on a running system: what its rows go through, table by table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import psycopg

from benchmarks import stand
from benchmarks.growth import rows

WARM_UP = 200
#: Sent at a time; the next when all of it has come to rest.
CHUNK = 1_000


def wear_flow(
    orders: int, *, style: str, settings: Mapping[str, str], say: Callable[[str], None]
) -> list[rows.TableFacts]:
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
            _send(shop.place, style, "worn", orders, say)
            return rows.read(connection)


def _send(
    place: Callable[[str, str, int], None], style: str, name: str, orders: int, say: Callable[[str], None]
) -> None:
    for start in range(0, orders, CHUNK):
        place(style, f"{name}-{start}", min(CHUNK, orders - start))
        stand.wait_for_rest()
        say(f"{min(start + CHUNK, orders):,} orders of the full flow are through")
