"""A step of the shop in a transaction of its own, on a connection that is kept, and the saga in plain words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from psycopg_pool import ConnectionPool

from benchmarks.side_by_side.single import STEPS, Cursor, OrderRefused

#: What single.STEPS holds.
Act = Callable[[Cursor, str], None]


def forward_or_back(run: Callable[[Act], bool]) -> None:
    """One step after the other; when one is refused, all that was done is given back, the newest first."""
    undos: list[Act] = []
    for act, undo in STEPS:
        if not run(act):
            for give_back in reversed(undos):
                run(give_back)
            return
        if undo:
            undos.append(undo)


async def forward_or_back_awaited(run: Callable[[Act], Awaitable[bool]]) -> None:
    """The same for those whose steps are awaited."""
    undos: list[Act] = []
    for act, undo in STEPS:
        if not await run(act):
            for give_back in reversed(undos):
                await run(give_back)
            return
        if undo:
            undos.append(undo)


class OwnTransactions:
    """Runs one step after another, each committed when it returns."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def run(self, act: Act, order_id: str) -> None:
        """Do it and commit. What it raises rolls back."""
        with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            act(cursor, order_id)

    def accepted(self, act: Act, order_id: str) -> bool:
        """Do it and commit, and tell a refusal as an answer: False."""
        try:
            self.run(act, order_id)
        except OrderRefused:
            return False
        return True


@contextmanager
def own_transactions(conninfo: str, connections: int) -> Iterator[OwnTransactions]:
    """With so many connections, one for each thread that works."""
    options = {"autocommit": True}  # a transaction is begun where there is one, and nowhere else
    with ConnectionPool(conninfo, min_size=connections, max_size=connections, kwargs=options) as pool:
        pool.wait()
        yield OwnTransactions(pool)
