"""A return and its decisions. Each either raises and changes nothing, or adds its event to `changes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from orders import contract
from orders.returns.refusals import ReturnInvalid, ReturnMoved
from orders.returns.states import MOVES, State
from orders.worth import Pieces
from sagas.events import Event


@dataclass(slots=True)
class BackLine:
    """One line of the order in a return: see `models.ReturnLine`."""

    position: int
    sku: str
    asked: int = 0
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    restock: int = 0
    reject_reason: str = ""

    def spoken_for(self, state: State) -> int:
        """The pieces that nobody else may return as long as the return stands there."""
        match state:
            case State.REQUESTED:
                return self.asked
            case State.RECEIVED:
                return self.received
            case State.INSPECTED:
                return self.accepted
        return 0


@dataclass(frozen=True, slots=True)
class Finding:
    """What an inspection says of one line. Of what is accepted `restock` pieces go back on the shelf."""

    position: int
    accepted: int
    rejected: int = 0
    reason: str = ""
    restock: int = 0


@dataclass(slots=True)
class Return:
    """One return, built from its row or by `request`. All but the last two fields are columns."""

    id: UUID
    shop_id: UUID
    order_id: UUID
    number: int
    saga_id: UUID
    due_at: datetime
    requested_at: datetime
    moved_at: datetime
    origin: str = "shop"
    reason: str = ""
    asked_by: str = ""
    late: bool = False
    shipment_id: UUID | None = None
    version: int = 0
    state: State = State.REQUESTED
    unexpected: list[dict[str, Any]] = field(default_factory=list)
    refund_minor: int = 0
    credit_minor: int = 0
    end_code: str = ""
    received_at: datetime | None = None
    inspected_at: datetime | None = None
    lines: dict[int, BackLine] = field(default_factory=dict)
    changes: list[Event] = field(default_factory=list)

    def request(self, lines: Sequence[tuple[int, str, int]]) -> Self:
        """Begin it with lines of (position, sku, quantity)."""
        self.lines = {position: BackLine(position, sku, asked=asked) for position, sku, asked in lines}
        self._emit(
            contract.ReturnRequested(
                **self._who(), saga_id=self.saga_id, origin=self.origin, reason=self.reason, late=self.late,
                due_at=self.due_at, lines=self._pieces("asked"),
            )
        )  # fmt: skip
        return self

    def receive(
        self, came: Pieces, skus: Mapping[int, str], unexpected: Sequence[Mapping[str, Any]], *, now: datetime
    ) -> bool:
        """Write down what came, by line; whether that is news. Lines that were not asked for are added.

        Safe to repeat. Raises ReturnMoved when it was received before otherwise, or has ended.
        """
        if self.state is not State.REQUESTED and self._received_like(came, unexpected):
            return False
        self._move(State.RECEIVED, now)
        self.received_at, self.unexpected = now, [dict(item) for item in unexpected]
        for position, pieces in [(position, pieces) for position, pieces in came.items() if pieces]:
            self.lines.setdefault(position, BackLine(position, skus[position])).received = pieces
        self._emit(
            contract.ReturnReceived(
                **self._who(), lines=self._pieces("received"), unexpected=tuple(self.unexpected)
            )
        )
        return True

    def inspect(self, findings: Sequence[Finding], *, now: datetime) -> bool:
        """Decide on every received piece; whether that is news.

        Safe to repeat. Raises ReturnInvalid unless each line's pieces are all accepted or rejected with a reason,
        ReturnMoved when it was inspected before otherwise, is not received, or has ended.
        """
        by_line = {finding.position: finding for finding in findings}
        if len(by_line) != len(findings):
            raise ReturnInvalid(detail="A line is named twice.")
        if self.state in (State.INSPECTED, State.CLOSED) and self._decided_like(by_line):
            return False
        if self.state is State.RECEIVED:
            self._check(by_line)
        self._move(State.INSPECTED, now)
        self.inspected_at = now
        for line in self.lines.values():
            _decide(line, by_line.get(line.position, Finding(line.position, 0)))
        self._emit(contract.ReturnInspected(**self._who(), lines=self._inspected()))
        return True

    def withdraw(self, code: str, *, now: datetime) -> None:
        """End it with nothing refunded. Raises ReturnMoved when it has ended."""
        self._move(State.WITHDRAWN, now)
        self.end_code = code[:100]
        self._emit(contract.ReturnWithdrawn(**self._who(), code=self.end_code))

    def cut_to(self, left: Pieces) -> None:
        """Accept no more than the order has left: what was given back otherwise meanwhile is rejected, and told."""
        over = {line.position: line.accepted - left.get(line.position, 0) for line in self.lines.values()}
        for line in [line for line in self.lines.values() if over[line.position] > 0]:
            line.accepted -= over[line.position]
            line.rejected += over[line.position]
            line.restock = min(line.restock, line.accepted)
            line.reject_reason = line.reject_reason or "given back otherwise"
        if any(pieces > 0 for pieces in over.values()):
            self._emit(contract.ReturnInspected(**self._who(), lines=self._inspected()))

    def close(self, *, refund_minor: int, credit_minor: int, now: datetime) -> None:
        """Its accepted pieces are counted as returned, and paid for."""
        self._move(State.CLOSED, now)
        self.refund_minor, self.credit_minor = refund_minor, credit_minor
        event = contract.ReturnClosed(
            **self._who(),
            lines=self._pieces("accepted"),
            refund_minor=refund_minor,
            credit_minor=credit_minor,
        )
        self._emit(event)

    @property
    def in_order(self) -> list[BackLine]:
        """Its lines by position."""
        return sorted(self.lines.values(), key=lambda line: line.position)

    @property
    def accepted(self) -> dict[int, int]:
        """Accepted pieces by line."""
        return {line.position: line.accepted for line in self.lines.values() if line.accepted}

    def restocked(self) -> list[dict[str, Any]]:
        """What goes back on the shelf, as {sku, quantity}."""
        return [{"sku": x.sku, "quantity": x.restock} for x in self.lines.values() if x.restock]

    def _received_like(self, came: Pieces, unexpected: Sequence[Mapping[str, Any]]) -> bool:
        before = {line.position: line.received for line in self.lines.values() if line.received}
        same = before == {position: pieces for position, pieces in came.items() if pieces}
        return same and self.received_at is not None and self.unexpected == [dict(i) for i in unexpected]

    def _decided_like(self, findings: Mapping[int, Finding]) -> bool:
        return all(
            (line.accepted, line.rejected, line.restock) == (f.accepted, f.rejected, f.restock)
            for line in self.lines.values()
            if (f := findings.get(line.position, Finding(line.position, 0)))
        )

    def _check(self, findings: Mapping[int, Finding]) -> None:
        if strange := sorted(set(findings) - set(self.lines)):
            raise ReturnInvalid(detail=f"line {strange[0]} is not in this return")
        for line in self.lines.values():
            found = findings.get(line.position, Finding(line.position, 0))
            if found.accepted < 0 or found.rejected < 0 or found.accepted + found.rejected != line.received:
                decided = f"{found.accepted} accepted and {found.rejected} rejected"
                raise ReturnInvalid(detail=f"line {line.position}: {line.received} received, {decided}")
            if not 0 <= found.restock <= found.accepted:
                raise ReturnInvalid(
                    detail=f"line {line.position}: {found.restock} to restock of {found.accepted} accepted"
                )
            if found.rejected and not found.reason.strip():
                raise ReturnInvalid(detail=f"line {line.position}: a rejected piece needs a reason")

    def _move(self, to: State, now: datetime) -> None:
        if to not in MOVES[self.state]:
            raise ReturnMoved(detail=f"return {self.number} is {self.state}")
        self.state, self.moved_at = to, now

    def _emit(self, event: Event) -> None:
        self.version += 1
        self.changes.append(event)

    def _who(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id, "shop_id": self.shop_id, "return_id": self.id, "number": self.number,
        }  # fmt: skip

    def _pieces(self, of: str) -> tuple[dict[str, Any], ...]:
        return tuple(
            {"position": line.position, "sku": line.sku, "quantity": getattr(line, of)}
            for line in self.in_order
            if getattr(line, of)
        )

    def _inspected(self) -> tuple[dict[str, Any], ...]:
        return tuple(
            {
                "position": line.position, "sku": line.sku, "accepted": line.accepted, "rejected": line.rejected,
                "restock": line.restock, "reason": line.reject_reason,
            }
            for line in self.in_order
            if line.received
        )  # fmt: skip


def _decide(line: BackLine, found: Finding) -> None:
    line.accepted, line.rejected, line.restock = found.accepted, found.rejected, found.restock
    line.reject_reason = found.reason.strip()[:200] if found.rejected else ""
