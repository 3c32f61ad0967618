"""When an order is seen to be confirmed: by somebody who looks at the orders every few hundredths of a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from sagas.sql import rows

LOOK_SECONDS = 0.02
#: At one look so many are asked after, the longest expected first.
LOOK_AT = 500

# An order that went on since was confirmed before; one that ended otherwise never is.
GONE_ON = """
SELECT id, state <> ALL (ARRAY['rejected', 'cancelled']) FROM orders_order
 WHERE id = ANY(%s::uuid[]) AND state <> ALL (ARRAY['draft', 'pending'])
"""


@dataclass
class Watch:
    """Expects orders to be confirmed. `confirmed` are milliseconds from when each was due until it was seen."""

    confirmed: list[float] = field(default_factory=list)
    otherwise: int = 0
    most: int = 0
    _expected: dict[UUID, float] = field(default_factory=dict)
    _end: threading.Event = field(default_factory=threading.Event)

    @property
    def backlog(self) -> int:
        """How many that were accepted are not confirmed yet."""
        return len(self._expected)

    def expect(self, order: UUID, due: float) -> None:
        """An order was accepted that was due then."""
        self._expected[order] = due
        self.most = max(self.most, len(self._expected))

    def wait(self, seconds: float) -> bool:
        """Until nothing is expected any more; False if it takes longer."""
        end = time.monotonic() + seconds
        while self._expected and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        return not self._expected

    def look(self) -> None:
        """Look until told to end."""
        while not self._end.wait(LOOK_SECONDS):
            if asked := list(self._expected)[:LOOK_AT]:
                self._note(rows(GONE_ON, [asked]), time.monotonic())
        connection.close()

    def _note(self, found: Sequence[tuple[UUID, bool]], now: float) -> None:
        for order, well in found:
            due = self._expected.pop(order)
            if well:
                self.confirmed.append((now - due) * 1000)
            else:
                self.otherwise += 1


@contextmanager
def watching() -> Iterator[Watch]:
    """Somebody who looks, in a thread of their own."""
    watch = Watch()
    thread = threading.Thread(target=watch.look, name="watch")
    thread.start()
    try:
        yield watch
    finally:
        watch._end.set()
        thread.join()
