"""What was found, in Markdown: tables that stand by themselves, so that a document can take them over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.growth.bloat import FLAT_MB, Worn
from benchmarks.growth.figures import FLOOR_MS, MOST_GROWTH, Compared
from benchmarks.growth.flow import WornFlow
from benchmarks.growth.history import History
from benchmarks.growth.rows import TableFacts
from benchmarks.side_by_side.figures import Found

MB = 2**20


def sizes(found: Sequence[Compared], small: int, large: int) -> Iterator[str]:
    """Figures at two sizes."""
    yield f"| | {small:,} finished | {large:,} finished | factor | within {MOST_GROWTH - 1:.0%} |"
    yield "|---|---|---|---|---|"
    for one in found:
        answer = "yes" if one.within else "**no**"
        yield (
            f"| {one.what}, {one.unit} | {_number(one.small)} | {_number(one.large)} | {one.growth:.2f} | {answer} |"
        )
    yield ""


def loads(found: Found, compared: Sequence[Compared], small: int, large: int) -> Iterator[str]:
    """The shop's workload at two sizes."""
    yield f"## The workload beside {small:,} and {large:,} finished orders"
    yield ""
    yield from sizes(compared, small, large)
    yield f"Medians of {found.plan['repeats']:.0f} interleaved repeats. A factor above 1 is worse."
    yield from (f"- Broke down: {name}. {why}" for name, why in found.failed.items())
    if found.broken:
        yield f"- **The books do not balance: {found.broken}**"
    yield ""


def hot(found: Sequence[Compared], small: History, large: History) -> Iterator[str]:
    """The engine's statements at two sizes."""
    yield f"## Statements beside {small.orders:,} and {large.orders:,} finished sagas"
    yield ""
    yield from sizes(found, small.orders, large.orders)
    yield (
        f"Medians. {large.steps} step and {large.events} event for each finished saga. "
        f"Times less than {FLOOR_MS} ms apart are equal."
    )
    yield ""


def worn(found: Worn) -> Iterator[str]:
    """The tables, the rate and the memory after many sagas."""
    yield f"## After {found.sagas:,} sagas"
    yield ""
    yield from tables(found.tables, found.sagas)
    held = [mb for _, mb in found.memory]
    yield f"- Rate of each stretch, sagas/s: {', '.join(f'{rate:,.0f}' for rate in _few(found.chunks))}."
    yield f"- {found.cpu_ms:.2f} ms of processor time and {found.wal_kb:.1f} KB of log for each saga."
    yield (
        f"- The worker's processes held {held[0]:.0f} MB at first, {max(held):.0f} MB at most and {held[-1]:.0f} MB at "
        f"the end. Over the second half {found.memory_slope:+.2f} MB for a hundred thousand sagas; "
        f"{'flat' if found.flat else '**not flat**'} means at most {FLAT_MB:.0f}."
    )
    yield ""


def flow(found: WornFlow) -> Iterator[str]:
    """The tables after the full flow."""
    yield f"## Tables after {found.orders:,} orders of the full flow ({found.style})"
    yield ""
    least = found.orders / 10
    yield from tables([t for t in found.tables if max(t.updates, t.rows) >= least], found.orders)
    yield f"- {found.wal_kb:.1f} KB of log for each order."
    yield ""


def tables(facts: Iterable[TableFacts], orders: int) -> Iterator[str]:
    """Each table's rows and room."""
    yield (
        "| table | rows | updates an order | HOT | no room on the page | dead rows | autovacuums | table MB | "
        "larger than anew | indexes MB | larger than anew |"
    )
    yield f"|{'---|' * 11}"
    for one in facts:
        cells = [
            one.name, f"{one.rows:,}", f"{one.updates / orders:.2f}", _share(one.hot_share), _share(one.moved_share),
            f"{one.dead:,}", f"{one.vacuums}", f"{one.heap / MB:,.1f}", _share(one.heap_bloat),
            f"{one.indexes / MB:,.1f}", _share(one.index_bloat),
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    yield ""


def head(at: str, settings: Mapping[str, str]) -> Iterator[str]:
    """What this is."""
    yield "# Growth"
    yield ""
    yield f"Run of {at}."
    for table, options in settings.items():
        yield f"Tried: {table} with {options}."
    yield ""


def measured_on(machine: Mapping[str, Any]) -> Iterator[str]:
    """The machine."""
    yield f"Measured on: {', '.join(f'{name} {value}' for name, value in machine.items())}."


def _few(values: Sequence[float], most: int = 10) -> list[float]:
    """Evenly spread ones, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(n * (len(values) - 1) / (most - 1))] for n in range(most)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
