"""The staff page's picture of now: read once for everybody who looks, at most a second old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sagas import circuits, lag, overview, queries
from sagas.clock import database_now
from sagas.models import Pause, Saga
from sagas.overview import AtStep, Failure, Group, Minute
from sagas.rebuild.rows import ProjectionBuild
from sagas.remember import Remembered
from sagas.resilience.breaker import CircuitReport
from sagas.resilience.circuit import Position

#: Failures are looked back on for one of these numbers of hours.
WINDOWS = (1, 24, 168)
#: The rate of now is taken over so many whole minutes.
RATE_MINUTES = 5
#: A chart of the last hour, in units of its own.
CHART_WIDTH, CHART_HEIGHT = 600, 90


@dataclass(frozen=True)
class Now:
    """What is unfinished, what lately ended, and who lags, at one moment."""

    at: datetime
    open: dict[tuple[str, str, str], Group]
    steps: list[AtStep]
    parked: list[tuple[str, Group]]
    minutes: list[Minute]
    readers: list[lag.Lag]
    writer: lag.Writer | None
    parked_events: list[lag.ParkedEvents]
    pauses: list[Pause]
    circuits: list[CircuitReport]  #: Those that are not closed, or held by a person.
    builds: list[ProjectionBuild]


@dataclass(frozen=True)
class Row:
    """The unfinished sagas of one definition."""

    definition: str
    states: dict[str, int]
    total: Group


@dataclass(frozen=True)
class Bar:
    """One minute in the chart: two stacked bars, in units of the chart."""

    x: float
    width: float
    completed_y: float
    completed_height: float
    compensated_y: float
    compensated_height: float
    told: str


def now() -> Now:
    """What is, from the rows or from the last reading."""
    return _now.get()


def failures(hours: int) -> list[Failure]:
    """Why sagas started within so many hours turned back. `hours` is one of WINDOWS."""
    return _failures[hours].get()


def forget() -> None:
    """Read anew (for tests)."""
    _now.forget()
    _finished.forget()
    for kept in _failures.values():
        kept.forget()


def _read() -> Now:
    at = database_now()
    return Now(
        at,
        overview.open_sagas(),
        overview.at_steps(),
        overview.parked_reasons(),
        _finished.get(),
        lag.lags(),
        lag.slowest_writer(),
        lag.parked(),
        sorted(queries.pauses().values(), key=lambda p: p.since),
        [one for one in circuits.reports() if one.position is not Position.CLOSED or one.forced],
        [one for one in lag.builds() if one.finished_at is None],
    )


def _read_failures(hours: int) -> list[Failure]:
    return overview.failures(since=database_now() - timedelta(hours=hours))


def _read_finished() -> list[Minute]:
    return overview.finished(now=database_now())


_now = Remembered(_read, seconds=1.0)
_finished = Remembered(_read_finished, seconds=5.0)
_failures = {hours: Remembered(partial(_read_failures, hours), seconds=3.0) for hours in WINDOWS}


def totals(seen: Now) -> dict[str, Group]:
    """Unfinished sagas in all and by what stands out: each saga is in `all` and in one of the others."""
    found = {name: Group() for name in ("all", "running", "compensating", "waiting", "parked", "paused")}
    for (_, state, hold), group in seen.open.items():
        going = "compensating" if state == Saga.State.COMPENSATING else "running"
        for name in ("all", going if hold == Saga.Hold.NONE else hold):
            for currency, amount in group.money.items():
                found[name].add(0, currency, amount, group.oldest)
            found[name].count += group.count
    return found


def by_definition(seen: Now) -> list[Row]:
    """Unfinished sagas by definition, and in each by state and by hold."""
    found: dict[str, Row] = {}
    for (definition, state, hold), group in sorted(seen.open.items()):
        row = found.setdefault(definition, Row(definition, {}, Group()))
        for name in (state, hold):
            row.states[name] = row.states.get(name, 0) + group.count
        for currency, amount in group.money.items():
            row.total.add(0, currency, amount, group.oldest)
        row.total.count += group.count
    return list(found.values())


def per_second(minutes: Sequence[Minute]) -> float:
    """How many sagas ended per second over the last whole minutes."""
    whole = minutes[-RATE_MINUTES - 1 : -1]
    return sum(minute.count for minute in whole) / (60 * len(whole)) if whole else 0.0


def chart(minutes: Sequence[Minute]) -> list[Bar]:
    """The last hour as stacked bars, the highest as high as the chart."""
    most = max((minute.count for minute in minutes), default=0) or 1
    step = CHART_WIDTH / max(len(minutes), 1)
    bars = []
    for number, minute in enumerate(minutes):
        done, back = (CHART_HEIGHT * n / most for n in (minute.completed, minute.compensated))
        told = f"{minute.at:%H:%M} UTC: {minute.completed} completed, {minute.compensated} given back"
        x = round(number * step, 1)
        bars.append(
            Bar(x, round(step - 1.5, 1), round(CHART_HEIGHT - done, 1), round(done, 1),
                round(CHART_HEIGHT - done - back, 1), round(back, 1), told)
        )  # fmt: skip
    return bars
