"""Fulfilment orders of locked orders: read together, moved in memory, written with their facts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
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
SELECT id, shop_id, order_id, number, version, saga_id, cancel_saga_id, shipment_id, ready_at, state, lines, share_minor
  FROM orders_fulfilmentorder WHERE order_id = ANY(%s::uuid[]) ORDER BY order_id, number
"""
SAVE = """
UPDATE orders_fulfilmentorder f
   SET state = u.state, version = u.version, code = u.code, moved_at = %s, cancel_saga_id = u.cancel_saga_id,
       shipment_id = u.shipment_id,
       ready_at = CASE WHEN u.state = 'ready' THEN coalesce(f.ready_at, %s) ELSE f.ready_at END
  FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[], %s::uuid[], %s::uuid[])
    AS u (id, state, version, code, cancel_saga_id, shipment_id)
 WHERE f.id = u.id
"""


# What is in parcels that a carrier had, whatever became of them later.
HANDED_OVER = """
SELECT f.order_id, (line ->> 'position')::int, sum((line ->> 'quantity')::bigint)::bigint
  FROM orders_fulfilmentorder f CROSS JOIN LATERAL jsonb_array_elements(f.lines) AS line
 WHERE f.order_id = ANY(%s::uuid[])
   AND (f.shipment_id = ANY(%s::uuid[])
        OR EXISTS (SELECT FROM orders_parcel p WHERE p.id = f.shipment_id AND (p.handed_over OR p.delivered)))
 GROUP BY 1, 2
"""

# Whether some of the order `o` may still leave or be cancelled. Each piece is in one claim at most, so otherwise what
# was cancelled and what is in parcels that a carrier had are all that was ordered.
MAY_LEAVE = """
o.in_parcels AND o.state IN ('confirmed', 'processing')
   AND (SELECT sum(l.quantity) FROM orders_orderline l WHERE l.order_id = o.id) >
       (SELECT coalesce(sum(f.pieces), 0) FROM orders_fulfilmentorder f
         WHERE f.order_id = o.id
           AND (f.state = 'cancelled' OR (f.state = 'ready' AND EXISTS (
                SELECT FROM orders_parcel p WHERE p.id = f.shipment_id AND (p.handed_over OR p.delivered)))))"""
TO_LEAVE = f"SELECT o.id FROM orders_order o WHERE o.id = ANY(%s::uuid[]) AND {MAY_LEAVE}"  # noqa: S608 - a constant

TAKEN = """
SELECT order_id, sum(share_minor)::bigint FROM orders_fulfilmentorder
 WHERE order_id = ANY(%s::uuid[]) AND state = 'ready' GROUP BY 1
"""

EVER_READY = """
SELECT DISTINCT order_id FROM orders_fulfilmentorder WHERE order_id = ANY(%s::uuid[]) AND ready_at IS NOT NULL
"""

STORED = ("id", "state", "version", "code", "cancel_saga_id", "shipment_id")


@dataclass(slots=True)
class Claim:
    """One fulfilment order as the rules see it. Its order's row is locked."""

    id: UUID
    shop_id: UUID
    order_id: UUID
    number: int
    version: int
    saga_id: UUID
    cancel_saga_id: UUID | None
    shipment_id: UUID | None
    ready_at: datetime | None
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
        return Claimed(self.pieces, self.share_minor)

    @property
    def pieces(self) -> dict[int, int]:
        """Pieces by the position of their line."""
        return {line["position"]: line["quantity"] for line in self.lines}

    @property
    def wants_money(self) -> bool:
        """Whether a share may still be taken for its pieces: its own, or another's if its cancellation is given up."""
        return self.state is State.CLAIMED or (self.state is State.CANCELLING and self.ready_at is None)


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
        self.tell(claim, fact, correlation_id)
        self.note(claim)

    def tell(
        self, claim: Claim, fact: FulfilmentOrderEvent, correlation_id: str, *, reason: str = ""
    ) -> None:
        """A fact of its present version, to be published when it is written."""
        self._facts.append(Append(claim.id, claim.version, fact, correlation_id, reason=reason))

    def hold(self, claim: Claim) -> None:
        """Nobody is to ship it; whoever asks tells of it. Raises IllegalMove."""
        if State.CANCELLING not in MOVES[claim.state]:
            raise IllegalMove(detail=f"parcel {claim.number}: {claim.state} to {State.CANCELLING}")
        claim.state, claim.version = State.CANCELLING, claim.version + 1
        self.note(claim)

    def note(self, claim: Claim) -> None:
        """It is to be written."""
        self._changed[claim.id] = claim

    def save(self, *, now: datetime) -> None:
        """Write rows and facts in the caller's transaction."""
        changed = list(self._changed.values())
        if changed:
            columns = [[getattr(c, name) for c in changed] for name in STORED]
            execute(SAVE, [now, now, *columns])
        publish(self._facts, now=now)
        self._changed, self._facts = {}, []


def handed_over_of(
    order_ids: Sequence[UUID], *, besides: Collection[UUID] = ()
) -> dict[UUID, dict[int, int]]:
    """Pieces of orders in parcels that a carrier had, by order and position; also those of the shipments `besides`."""
    found: dict[UUID, dict[int, int]] = defaultdict(dict)
    for order_id, position, pieces in rows(HANDED_OVER, [list(order_ids), list(besides)]):
        found[order_id][position] = pieces
    return found


def still_to_leave(order_ids: Sequence[UUID]) -> set[UUID]:
    """Orders in parcels of which a piece may still be shipped or cancelled: nobody can say yet what is taken of them.

    Of the others no share is taken any more, and none goes back but by a return or a refund. It holds for as long as
    the orders are locked.
    """
    return {order_id for (order_id,) in rows(TO_LEAVE, [list(order_ids)])} if order_ids else set()


def taken_of(order_ids: Sequence[UUID]) -> dict[UUID, int]:
    """What was taken for parcels that go on, in minor units, by order in parcels; those without any are 0."""
    found: dict[UUID, int] = dict.fromkeys(order_ids, 0)
    return found | dict(rows(TAKEN, [list(order_ids)])) if order_ids else found


def ever_charged(order_ids: Sequence[UUID]) -> set[UUID]:
    """Orders in parcels of which a share was taken once, whether it went back later or not."""
    return {order_id for (order_id,) in rows(EVER_READY, [list(order_ids)])} if order_ids else set()


def _claim(row: tuple[Any, ...]) -> Claim:
    known = list(row)
    known[-3] = State(row[-3])
    known[-2] = json.loads(row[-2]) if isinstance(row[-2], str) else row[-2]
    return Claim(*known)
