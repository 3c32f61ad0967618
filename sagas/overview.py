"""What happens right now, over all sagas: unfinished rows, and bounded windows of what was lately.

Every query here reads either rows that are unfinished or a stretch of a time-ordered index with a stated
bound, so that it costs the same whatever the tables hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sagas.definition import definitions
from sagas.sql import rows
from sagas.steps import all_steps

#: At most so many rows are looked at for one table of a page; a page says so where it stopped there.
MOST_ROWS = 200_000
MOST_PER_CODE = 20_000
MOST_PARKED = 20_000

# When a row was made is in its id: the first 48 bits of a UUIDv7 are milliseconds. (min(uuid) is new in 18.)
SAGAS = """
SELECT definition, state, hold, currency, count(*), sum(amount_minor), min(left(id::text, 13))
  FROM (SELECT * FROM sagas_saga WHERE finished_at IS NULL LIMIT %s) s GROUP BY 1, 2, 3, 4
"""
STEPS = """
SELECT t.name, t.direction, s.currency,
       CASE WHEN s.hold IN ('parked', 'paused') THEN s.hold
            WHEN t.lease_until IS NOT NULL THEN 'flying'
            WHEN s.hold = 'waiting' THEN 'waiting'
            WHEN t.wake_at <= waybill_now() THEN 'due' ELSE 'later' END,
       count(*), sum(s.amount_minor), min(left(t.id::text, 13))
  FROM (SELECT * FROM sagas_step WHERE finished_at IS NULL LIMIT %s) t
  JOIN sagas_saga s ON s.id = t.saga_id AND s.finished_at IS NULL
 WHERE t.wake_at IS NOT NULL OR t.lease_until IS NOT NULL OR s.hold IN ('parked', 'paused')
 GROUP BY 1, 2, 3, 4
"""
# One probe of the index for each name.
OCCUPIED = """
SELECT n.name FROM unnest(%s::text[]) AS n (name)
 WHERE EXISTS (SELECT FROM sagas_step t WHERE t.name = n.name AND t.finished_at IS NULL)
"""
# From code to code through the index (cause_code, id), and for each a bounded stretch since a moment.
FAILURES = """
WITH RECURSIVE codes (code, looked) AS (
  (SELECT cause_code, 1 FROM sagas_saga WHERE cause_code <> '' ORDER BY cause_code LIMIT 1)
  UNION ALL
  SELECT n.cause_code, c.looked + 1 FROM codes c CROSS JOIN LATERAL (
    SELECT cause_code FROM sagas_saga
     WHERE cause_code <> '' AND cause_code > c.code ORDER BY cause_code LIMIT 1) n
   WHERE c.looked < %(codes)s
)
SELECT CASE WHEN f.cause = 'intent' THEN '' ELSE c.code END, f.cause, f.cause_step, f.currency, count(*),
       sum(f.amount_minor), max(f.moved_at), count(*) FILTER (WHERE f.finished_at IS NULL)
  FROM codes c CROSS JOIN LATERAL (
    SELECT * FROM sagas_saga
     WHERE cause_code <> '' AND cause_code = c.code AND id >= %(since)s ORDER BY id DESC LIMIT %(each)s) f
 GROUP BY 1, 2, 3, 4
"""
PARKED = """
SELECT hold_reason, currency, count(*), sum(amount_minor), min(hold_since)
  FROM (SELECT * FROM sagas_saga WHERE hold = 'parked' ORDER BY id DESC LIMIT %s) s GROUP BY 1, 2
"""
FINISHED = """
SELECT date_trunc('minute', finished_at), state, count(*)
  FROM (SELECT state, finished_at FROM sagas_saga WHERE id >= %s ORDER BY id DESC LIMIT %s) s
 WHERE finished_at >= %s GROUP BY 1, 2
"""


@dataclass
class Group:
    """Some sagas together: how many, the money in them by currency, and since when the oldest is there."""

    count: int = 0
    money: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    oldest: datetime | None = None

    def add(self, count: int, currency: str, amount_minor: int, oldest: datetime | None) -> None:
        """Take more of the same in."""
        self.count += count
        self.money[currency] += amount_minor
        self.oldest = min(filter(None, (self.oldest, oldest)), default=None)


@dataclass
class AtStep(Group):
    """What stands at one step. `states` counts flying, due, later, waiting, parked and paused."""

    name: str = ""
    direction: str = ""
    states: dict[str, int] = field(default_factory=dict)


@dataclass
class Failure(Group):
    """Sagas that turned back for one reason. `open` of them are not given back yet."""

    code: str = ""
    cause: str = ""
    step: str = ""
    open: int = 0
    last: datetime | None = None

    @property
    def at_bound(self) -> bool:
        """Whether there may be more than were looked at."""
        return self.count >= MOST_PER_CODE


@dataclass(frozen=True)
class Minute:
    """How many sagas came to an end in one minute, and how."""

    at: datetime
    completed: int
    compensated: int

    @property
    def count(self) -> int:
        return self.completed + self.compensated


def open_sagas() -> dict[tuple[str, str, str], Group]:
    """Unfinished sagas by definition, state and hold."""
    found: dict[tuple[str, str, str], Group] = defaultdict(Group)
    for definition, state, hold, currency, count, amount, oldest in rows(SAGAS, [MOST_ROWS], prepare=False):
        found[definition, state, hold].add(count, currency, int(amount), made_at(oldest))
    return dict(found)


def at_steps() -> list[AtStep]:
    """What stands at each step, in the order of the definitions."""
    found: dict[tuple[str, str], AtStep] = {}
    for name, direction, currency, state, count, amount, oldest in rows(STEPS, [MOST_ROWS], prepare=False):
        group = found.setdefault((name, direction), AtStep(name=name, direction=direction))
        group.add(count, currency, int(amount), made_at(oldest))
        group.states[state] = group.states.get(state, 0) + count
    order = step_order()
    return sorted(found.values(), key=lambda g: (order.get(g.name, len(order)), g.name))


def occupied_steps() -> list[str]:
    """The steps at which at least one saga stands, in the order of the definitions."""
    order = step_order()
    names = sorted(all_steps(), key=lambda name: (order.get(name, len(order)), name))
    found = {name for (name,) in rows(OCCUPIED, [names])}
    return [name for name in names if name in found]


def failures(*, since: datetime) -> list[Failure]:
    """Why sagas that started since a moment turned back, What people asked for is one group."""
    found: dict[tuple[str, str, str], Failure] = {}
    params = {"codes": 500, "since": first_id(since), "each": MOST_PER_CODE}
    for code, cause, step, currency, count, amount, last, unfinished in rows(FAILURES, params, prepare=False):
        group = found.setdefault((code, cause, step), Failure(code=code, cause=cause, step=step))
        group.add(count, currency, int(amount), None)
        group.open += unfinished
        group.last = max(filter(None, (group.last, last)))
    return sorted(found.values(), key=lambda g: (-g.count, g.code))


def parked_reasons() -> list[tuple[str, Group]]:
    """What stands still for a person, by reason, most frequent first."""
    found: dict[str, Group] = defaultdict(Group)
    for reason, currency, count, amount, since in rows(PARKED, [MOST_PARKED], prepare=False):
        found[reason].add(count, currency, int(amount), since)
    return sorted(found.items(), key=lambda item: (-item[1].count, item[0]))


def finished(*, now: datetime, minutes: int = 60) -> list[Minute]:
    """How many sagas ended in each of the last whole minutes and in this one, oldest first.

    Among the newest started within a day: the last hour's ends of much older sagas are few and not counted.
    """
    this = now.replace(second=0, microsecond=0)
    start = this - timedelta(minutes=minutes - 1)
    counts: dict[tuple[datetime, str], int] = {
        (at, state): count
        for at, state, count in rows(
            FINISHED, [first_id(start - timedelta(days=1)), MOST_ROWS, start], prepare=False
        )
    }
    each = [start + timedelta(minutes=n) for n in range(minutes)]
    return [Minute(at, counts.get((at, "completed"), 0), counts.get((at, "compensated"), 0)) for at in each]


def step_order() -> Mapping[str, int]:
    """Every step name in the order a saga meets it; an undo stands behind its step."""
    names: list[str] = []
    for definition in definitions():
        names += _names(spec.name for stage in definition.stages for spec in stage)
    return {name: at for at, name in reversed(list(enumerate(names)))}


def _names(steps: Iterable[str]) -> list[str]:
    known = all_steps()
    return [n for name in steps for n in (name, known[name].undo if name in known else None) if n]


def first_id(at: datetime) -> UUID:
    """The least UUIDv7 a row made at this moment can have: a bound for reading newer ones."""
    millis = int(at.timestamp() * 1000)
    return UUID(int=(max(millis, 0) << 80) | (0x7 << 76) | (0x2 << 62))


def made_at(prefix: Any) -> datetime | None:
    """When a row was made, by the first 13 characters of its UUIDv7."""
    if not prefix:
        return None
    return datetime.fromtimestamp(int(str(prefix).replace("-", ""), 16) / 1000, tz=UTC)
