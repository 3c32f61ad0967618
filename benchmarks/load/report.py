"""A run as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.load.course import Course
from benchmarks.load.holding import MOST_ACCEPT_MS, MOST_CONFIRMED_MS, Held
from benchmarks.load.intake import BARE, BULK, SINGLE

#: What intake is to reach, as ratios.
SINGLE_TO_BARE, BULK_TO_SINGLE = 0.7, 5.0

PAGE = """\
# Load on the API

{cores} cores ({cpu}), PostgreSQL {postgresql}, {broker}, Python {python}, shared by database, broker, gateway and
carrier, workers, loops, web server and the sender.

## Intake, with nothing else at work

| orders/s | median | each round |
|---|---|---|
{intake}

Single to the bare view: **{single_to_bare:.2f}** (wanted: {least_single}). Bulk to single: **{bulk_to_single:.1f}**
(wanted: {least_bulk}).

## From placing to confirmed
{searched}
Held for the whole time:

{held}

An order is held if it is accepted and confirmed; a rate, if all its orders are, 99 of 100 of them accepted within
{accept:.0f} ms and confirmed within {confirmed:.0f} ms. Milliseconds are p50 / p95 / p99, from when an order was due.
Confirmed is what somebody sees who looks at the orders every 20 ms.

{verdict}
"""
TABLE = """\
| rate | for | accepted, ms | confirmed, ms | sent late, ms | waiting: most, at the end | lost | |
|---|---|---|---|---|---|---|---|
{rows}"""


def page(course: Course, facts: Mapping[str, Any], *, clean: bool) -> str:
    """Everything."""
    found = course.intake
    return PAGE.format(
        **{name: facts[name] for name in ("cores", "cpu", "postgresql", "broker", "python")},
        intake="\n".join(_rates(way, found.rounds[way], found.rate(way)) for way in (SINGLE, BARE, BULK)),
        single_to_bare=found.single_to_bare, least_single=SINGLE_TO_BARE,
        bulk_to_single=found.bulk_to_single, least_bulk=BULK_TO_SINGLE,
        searched=f"\nThe search:\n\n{_table(course.searched)}\n" if course.searched else "",
        held=_table(course.held) if course.held else "None of the rates tried.",
        accept=MOST_ACCEPT_MS, confirmed=MOST_CONFIRMED_MS,
        verdict="The audit found nothing." if clean else "**The audit found something.**",
    )  # fmt: skip


def _rates(way: str, rounds: Sequence[float], median: float) -> str:
    return f"| {way} | {median:,.0f} | {', '.join(f'{rate:,.0f}' for rate in rounds)} |"


def _table(stretches: Iterable[Held]) -> str:
    return TABLE.format(rows="\n".join(map(_row, stretches)))


def _row(held: Held) -> str:
    cells = (
        f"{held.rate:.0f}/s", f"{held.seconds:.0f} s", _times(held.accept_ms), _times(held.confirmed_ms),
        _times(held.late_ms), f"{held.most_waiting}, {held.waiting_at_the_end}",
        str(held.sent - held.confirmed), "held" if held.good else "not held",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _times(values: Sequence[float]) -> str:
    return " / ".join(f"{ms:,.0f}" for ms in values)
