"""The shop's own process: Django, as a web process has it, taking in the orders that come over a pipe.

A process of its own, so that the course needs no Django and every peer may have one of its own. Answers each request
with None, or with the text of what went wrong.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from typing import BinaryIO

from benchmarks.side_by_side.workload import Wanted, in_batches

#: As a shop sends them over the bulk endpoint.
INTAKE = 100


def main() -> None:
    """Serve until the pipe ends."""
    import django

    django.setup()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while (request := _read(requests)) is not None:
        work, orders = request
        _answer(answers, _outcome({"load": take_in_all, "one": take_in}[work], orders))


def take_in_all(orders: Sequence[Wanted]) -> None:
    """Batch after batch, while the workers are at it, until every order has ended."""
    for batch in in_batches(orders, INTAKE):
        take_in(batch)


def take_in(orders: Sequence[Wanted]) -> None:
    """One commit."""
    from benchmarks.side_by_side.waybill.intake import sell
    from sagas.clock import database_now

    sell(orders, now=database_now())


def _read(source: BinaryIO) -> tuple[str, list[Wanted]] | None:
    try:
        request: tuple[str, list[Wanted]] = pickle.load(source)  # noqa: S301 - from our own parent
    except EOFError:
        return None
    return request


def _answer(target: BinaryIO, outcome: str | None) -> None:
    pickle.dump(outcome, target)
    target.flush()


def _outcome(work: Callable[[Sequence[Wanted]], None], orders: Sequence[Wanted]) -> str | None:
    try:
        work(orders)
    except Exception as error:  # noqa: BLE001 - the parent raises it again
        return repr(error)
    return None


if __name__ == "__main__":
    main()
