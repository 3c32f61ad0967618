"""A world without a database: one saga by the engine's rules, a provider with a memory, workers that die or linger.

It does what the engine's shell does around the rules (claim, lease, fence, settle), in memory, so that hundreds of
thousands of histories can be tried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sagas.definition import Kind, Plan, SagaDefinition, prepare
from sagas.engine import asked as intents
from sagas.engine.asked import Asked
from sagas.engine.core import Case, Outcome
from sagas.engine.plain import forward, is_plain
from sagas.engine.rows import COMPENSATING, DO, FINAL, PARKED, UNDO, Change, SagaRow, StepRow
from sagas.engine.start import first_rows
from sagas.ids import uuid7
from sagas.keeping.deadlines import turn_back_late
from sagas.models import Saga, SagaStep
from sagas.steps import NotDone, get_step
from sagas.verdicts import Done, Refused, Unavailable, Unknown, Waiting
from tests.sagas import toys

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
DEADLINE = timedelta(seconds=100)


@dataclass
class Flight:
    """A claim that was taken and has not been recorded: a call on its way, or a worker that died or lingers."""

    row: StepRow
    epoch: int
    settling: bool
    outcome: Outcome | None = None
    paused: bool = False  #: Stopped before its call; it makes it when it wakes.

    @property
    def lingers(self) -> bool:
        return self.paused or self.outcome is not None


def alike(one: Change, other: Change) -> bool:
    """Whether two changes are the same but for the ids of the rows they make."""

    def told(change: Change) -> tuple[object, ...]:
        made = [replace(row, id=UUID(int=0)) for row in change.created]
        return (change.saga, change.saga_changed, change.updated, made, change.turned_back, change.late)

    return told(one) == told(other)


@dataclass
class World:
    """One saga, its rows as stored, what the outside really did, and what is still in flight."""

    definition: SagaDefinition = toys.TOY
    now: datetime = START
    rng: Random = field(default_factory=lambda: Random(7))
    live: set[str] = field(default_factory=set)
    done_ever: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    flights: list[Flight] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    by_hand: bool = False

    def __post_init__(self) -> None:
        self.plan: Plan = prepare(self.definition)
        self.saga = SagaRow(
            uuid7(), self.definition.name, 1, uuid7(), uuid7(), "A-1", "A-1", 100, "EUR", {}, ""
        )
        self.saga.deadline_at = self.now + DEADLINE
        self.rows = {(r.position, r.direction): r for r in first_rows(self.plan, self.saga, now=self.now)}
        self.for_good = {p.position for p in self.plan.places if p.spec.kind is not Kind.COMPENSATABLE}
        self.everything = {p.spec.name.partition(".")[2] for p in self.plan.places}

    # --- the shell around the rules ------------------------------------------------------------------------

    def due(self) -> list[StepRow]:
        if self.saga.hold in ("parked", "paused"):
            return []
        rows = [r for r in self.rows.values() if r.open and r.wake_at is not None and r.wake_at <= self.now]
        return sorted(rows, key=lambda r: (r.position, r.direction))

    def claim(self, row: StepRow) -> Flight:
        turning = row.direction == DO and self.saga.state in (COMPENSATING, *FINAL)
        if row.lease_until is not None:
            row.verdict = "unknown"
        settling = row.verdict == "unknown" or turning
        row.attempt, row.epoch, row.began_at = row.attempt + 1, self.saga.epoch, row.began_at or self.now
        if self.saga.state == "pending":
            self.saga.state = "running"
        flight = Flight(row.copy(), self.saga.epoch, settling)
        if get_step(row.name).external:
            row.lease_until = row.wake_at = self.now + LEASE
            self.flights.append(flight)
        return flight

    def record(self, flight: Flight, outcome: Outcome | ZeroDivisionError) -> None:
        """Store an answer as the engine does: in its own attempt, or late."""
        row = self.rows[flight.row.position, flight.row.direction]
        case = self._case()
        if isinstance(outcome, ZeroDivisionError):
            case.broke(row, flight.row.attempt, "bug", "oops")
        else:
            shortcut = self._shortcut(row, flight, outcome)
            case.heard(row, flight.row.attempt, outcome)
            change = case.change()
            assert shortcut is None or alike(shortcut, change)
            self.take(change)
            return
        self.take(case.change())

    def _shortcut(self, row: StepRow, flight: Flight, outcome: Outcome) -> Change | None:
        """What the engine decides without opening the case, where it does."""
        mine = row.open and row.attempt == flight.row.attempt
        if not mine or not is_plain(self.plan, self.saga, row, outcome):
            return None
        assert isinstance(outcome, Done)
        return forward(self.plan, self.saga, row.copy(), outcome, now=self.now)

    def ask(self, kind: str, **payload: Any) -> str:
        case = self._case()
        reply = intents.apply(case, Asked(uuid7(), self.saga.id, kind, "ann", "because", payload))
        self.take(case.change())
        return reply.state

    def skip(self, row: StepRow) -> None:
        """A person has seen to a step outside and says so."""
        if self.ask("skip", step=row.name) == intents.APPLIED:
            what = self.plan.places[row.position].spec.name.partition(".")[2]
            (self.live.discard if row.direction == UNDO else self.live.add)(what)

    def resolve(self, as_state: str) -> None:
        """A person has brought everything to an end outside and says so."""
        before = self.saga.state
        if self.ask("resolve", **{"as": as_state}) == intents.APPLIED and before not in FINAL:
            self.live = set(self.everything) if as_state == "completed" else set()

    def pass_deadline(self) -> None:
        """The loop of deadlines comes by."""
        change = turn_back_late(self.saga, list(self.rows.values()), now=self.now, planned=self.plan)
        if change is not None:
            self.take(change)

    def take(self, change: Change) -> None:
        assert change.saga.epoch >= self.saga.epoch
        assert allowed(Saga.MOVES, self.saga.state, change.saga.state)
        assert allowed(Saga.HOLD_MOVES, self.saga.hold, change.saga.hold)
        self.saga = change.saga
        for row in (*change.updated, *change.created):
            before = self.rows.get((row.position, row.direction))
            assert before is None or allowed(SagaStep.MOVES, before.state, row.state), (before, row)
            self.rows[row.position, row.direction] = row

    def _case(self) -> Case:
        return Case(self.plan, self.saga, self.rows.values(), now=self.now, rng=self.rng)

    # --- the outside ---------------------------------------------------------------------------------------

    def really_do(self, row: StepRow) -> Outcome:
        """The effect happens (or is taken back) out there; the same key twice is once."""
        if row.name == "sagas.take_money" and "hold_money" not in self.live:
            return Refused("bank.nothing_is_held")
        what = row.name.partition(".")[2]
        if row.direction == UNDO:
            target = self.plan.places[row.position].spec.name.partition(".")[2]
            self.live.discard(target)
            self.undone.append(what)
        elif what not in self.live:
            self.live.add(what)
            self.done_ever.append(what)
        return Done()

    def look_up(self, row: StepRow) -> Outcome:
        """Settle: ask what an earlier attempt did."""
        what = row.name.partition(".")[2]
        if row.direction == UNDO:
            target = self.plan.places[row.position].spec.name.partition(".")[2]
            return Done() if target not in self.live else self.really_do(row)
        return Done() if what in self.live else NotDone()

    def run(self, row: StepRow, verdict: str) -> None:
        """Claim a due row and let its handler come to `verdict`. `killed` and `lost` never record by themselves."""
        flight = self.claim(row)
        local = not get_step(row.name).external
        if verdict == "killed":
            if local:
                self._roll_back(row, flight)
            return
        if verdict == "paused" and not local:
            flight.paused = True
            return
        if verdict == "bug":
            self.flights = [f for f in self.flights if f is not flight]
            self.record(flight, ZeroDivisionError())
            return
        outcome = self._outcome(flight, verdict)
        if verdict == "lost":
            flight.outcome = outcome
            if local:
                self.record(flight, outcome)
            return
        self.flights = [f for f in self.flights if f is not flight]
        self.record(flight, outcome)

    def wake(self, flight: Flight, verdict: str = "done") -> None:
        """A worker that lingered goes on: it makes its call if it had not, and records what it got."""
        self.flights.remove(flight)
        if verdict == "bug":
            self.record(flight, ZeroDivisionError())
            return
        if flight.paused:
            flight.outcome = self._outcome(flight, verdict)
        if flight.outcome is not None:
            self.record(flight, flight.outcome)

    def _roll_back(self, row: StepRow, flight: Flight) -> None:
        row.attempt = flight.row.attempt - 1

    def _outcome(self, flight: Flight, verdict: str) -> Outcome:
        row = flight.row
        match verdict:
            case "unknown_done" if get_step(row.name).external:
                if not flight.settling:
                    self.really_do(row)
                return Unknown("dropped")
            case "unknown_not_done" if get_step(row.name).external:
                return Unknown("dropped")
            case "unavailable":
                return Unavailable("busy")
            case "waiting" if not flight.settling:
                return Waiting("customer", self.now + timedelta(seconds=40))
            case "refused" if self._may_refuse(row) and not flight.settling:
                return Refused("no")
            case _:
                return self.look_up(row) if flight.settling else self.really_do(row)

    def _may_refuse(self, row: StepRow) -> bool:
        return row.direction == DO and self.plan.places[row.position].spec.kind is not Kind.RETRIABLE

    def settle(self, late: str = "done") -> None:
        """Everything works from now on; time passes; people retry what is parked. At the end the zombies wake up.

        What stays parked after that, because it can neither be given back nor gone on with, a person resolves.
        """
        for turn in range(200):
            if self.saga.state in FINAL:
                for flight in self.flights[:]:
                    self.wake(flight, late)
            if self.saga.hold in ("parked", "paused"):
                self.ask("resume")
            if self.saga.hold == PARKED and turn > 100:
                self.by_hand = True
                self.resolve("compensated")
            for row in self.due():
                self.run(self.rows[row.position, row.direction], "done")
            if self.saga.state in FINAL and not self.flights:
                return
            wakes = [r.wake_at for r in self.rows.values() if r.open and r.wake_at]
            self.now = max(self.now, min(wakes, default=self.now)) + timedelta(milliseconds=1)
        raise AssertionError(f"never settled: {self.saga} {list(self.rows.values())}")


def allowed(moves: Mapping[Any, Collection[str]], origin: str, to: str) -> bool:
    """Whether a table of moves has this one. Staying is no move."""
    return to == origin or to in moves[origin]


def silent(world: World) -> bool:
    """Whether the saga stands still with nobody to wake it (I9)."""
    if world.saga.state in FINAL or world.saga.hold in (PARKED, "paused"):
        return False
    return not any(r.open and r.wake_at is not None for r in world.rows.values())


__all__ = ["World", "silent"]
