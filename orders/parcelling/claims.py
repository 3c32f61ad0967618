"""Fulfilment orders of locked orders: read together, moved in memory, written with their facts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.contract import FulfilmentOrderEvent
from orders.parcelling.rules import Claimed
from orders.parcelling.states import MOVES, STANDS, State
from sagas.log import Append, publish
from sagas.sql import execute, rows
from sagas.verdicts import IllegalMove

LOAD = """
SELECT id, shop_id, order_id, number, version, state, lines, share_minor
  FROM orders_fulfilmentorder WHERE order_id = ANY(%s::uuid[]) ORDER BY order_id, number
"""
SAVE = """
UPDATE orders_fulfilmentorder f
   SET state = u.state, version = u.version, code = u.code, moved_at = %s,
       ready_at = CASE WHEN u.state = 'ready' THEN coalesce(f.ready_at, %s) END
  FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[]) AS u (id, state, version, code)
 WHERE f.id = u.id
"""


@dataclass(slots=True)
class Claim:
    """One fulfilment order as the rules see it. Its order's row is locked."""

    id: UUID
    shop_id: UUID
    order_id: UUID
    number: int
    version: int
    state: State
    lines: list[dict[str, Any]]
    share_minor: int
    code: str = ""

    @property
    def stands(self) -> bool:
        """Whether its pieces are its own."""
        return self.state in STANDS

    @property
    def claimed(self) -> Claimed:
        """What it has taken."""
        return Claimed({line["position"]: line["quantity"] for line in self.lines}, self.share_minor)


class Claims:
    """All fulfilment orders of the orders in hand."""

    def __init__(self, order_ids: Iterable[UUID]) -> None:
        self.by_id = {row[0]: _claim(row) for row in rows(LOAD, [list(order_ids)])}
        self._changed: dict[UUID, Claim] = {}
        self._facts: list[Append] = []

    def of(self, order_id: UUID) -> list[Claim]:
        """Those of one order, by number."""
        return [claim for claim in self.by_id.values() if claim.order_id == order_id]

    def standing(self, order_id: UUID) -> list[Claimed]:
        """What those of one order have taken that stand."""
        return [claim.claimed for claim in self.of(order_id) if claim.stands]

    def move(
        self, claim: Claim, to: State, event: type[FulfilmentOrderEvent], correlation_id: str, **more: Any
    ) -> None:
        """Change its state by the table, and tell of it. Raises IllegalMove."""
        if to not in MOVES[claim.state]:
            raise IllegalMove(detail=f"parcel {claim.number}: {claim.state} to {to}")
        claim.state, claim.version = to, claim.version + 1
        fact = event(fulfilment_order_id=claim.id, order_id=claim.order_id, shop_id=claim.shop_id, **more)
        self._facts.append(Append(claim.id, claim.version, fact, correlation_id))
        self._changed[claim.id] = claim

    def save(self, *, now: datetime) -> None:
        """Write rows and facts in the caller's transaction."""
        changed = list(self._changed.values())
        if changed:
            columns = [[getattr(c, name) for c in changed] for name in ("id", "state", "version", "code")]
            execute(SAVE, [now, now, *columns])
        publish(self._facts, now=now)


def _claim(row: tuple[Any, ...]) -> Claim:
    id_, shop_id, order_id, number, version, state, lines, share = row
    known = json.loads(lines) if isinstance(lines, str) else lines
    return Claim(id_, shop_id, order_id, number, version, State(state), known, share)
