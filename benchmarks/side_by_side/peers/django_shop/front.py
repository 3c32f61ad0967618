"""The process that takes orders in, as a web application would.

SHOP_STYLE says whose tasks it sends: `sagas` or `canvas`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from benchmarks.side_by_side.peers.hands import serve
from benchmarks.side_by_side.peers.intake import AT_ONCE, unpack
from benchmarks.side_by_side.workload import in_batches


def work(_conninfo: str, _number: str) -> None:
    """Set Django and Celery up and serve."""
    import django

    from benchmarks.side_by_side.peers.django_shop.app import app

    django.setup()
    app.set_default()
    style = import_module(f"benchmarks.side_by_side.peers.django_shop.{os.environ['SHOP_STYLE']}")

    def take_in(packed: list[Any]) -> None:
        orders = unpack(packed)
        if len(orders) == 1:
            style.place_one(orders[0])
            return
        for batch in in_batches(orders, AT_ONCE):
            style.place_many(batch)

    serve(take_in)
