"""The same steps as a chain of Celery's canvas: nothing is kept of where an order stands but the message itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from celery import chain, shared_task
from django.db import connection, transaction

from benchmarks.side_by_side import single
from benchmarks.side_by_side.peers.intake import place_batch
from benchmarks.side_by_side.workload import Wanted


def place_one(order: Wanted) -> None:
    """Write the order; its chain is sent after the commit."""
    with transaction.atomic(), connection.cursor() as cursor:
        single.place(cast("single.Cursor", cursor), order)
    send(str(order.id))


def place_many(orders: Sequence[Wanted]) -> None:
    """The same for many orders in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        place_batch(cast("single.Cursor", cursor), orders)
    for order in orders:
        send(str(order.id))


def send(order_id: str) -> None:
    """All steps as one chain; a refusal sends the chain that gives back."""
    steps = chain(*(take.si(position, order_id) for position in range(len(single.STEPS))))
    steps.on_error(give_back.si(order_id)).apply_async()


@shared_task(throws=(single.OrderRefused,))
def take(position: int, order_id: str) -> None:
    """One step, in a transaction of its own."""
    _act(single.STEPS[position][0], order_id)


@shared_task
def undo(position: int, order_id: str) -> None:
    """What gives a step back, in a transaction of its own."""
    _act(single.STEPS[position][1], order_id)


@shared_task
def give_back(order_id: str) -> None:
    """The last step said no: everything before it, the newest first."""
    chain(*(undo.si(position, order_id) for position in reversed(range(len(single.STEPS) - 1)))).apply_async()


def _act(act: Any, order_id: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        act(cursor, order_id)
