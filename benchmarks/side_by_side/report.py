"""A run in words: the table of all contenders, the targets, who is missing, and on what it was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.side_by_side.figures import ALONE, FAILING, HAPPY, WAYBILL, Entry, Found, Spread, ours
from benchmarks.side_by_side.targets import targets
from benchmarks.side_by_side.workload import LINES, SKUS

HEAD = (
    "", "durable", "orders/s", "with 20 % failing", "alone p50 / p95 / p99, ms", "CPU ms/order", "commits/order",
    "WAL KB/order", "peak MB of a worker",
)  # fmt: skip


def markdown(found: Found) -> str:
    """The whole report."""
    parts = [*_head(found), *_table(found), "", *_targets(found), *_absent(found), *_machine(found)]
    return "\n".join(parts) + "\n"


def in_order(found: Found) -> list[Entry]:
    """Waybill, then the peers by speed, then the limits by speed."""

    def key(entry: Entry) -> tuple[bool, bool, float]:
        speed = found.median(entry.name, HAPPY, "per_second") or 0.0
        return not ours(entry), entry.limit, -speed

    return sorted(found.present, key=key)


def _head(found: Found) -> Iterator[str]:
    yield "# Side by side"
    yield ""
    yield (
        f"One saga of four steps, {LINES} lines an order, Zipf over {SKUS:,} SKUs, everyone on one PostgreSQL. "
        f"Medians of {found.plan['repeats']:.0f} interleaved repeats, in brackets the lowest and the highest. "
        f"Run of {found.at}{'' if found.complete else ', **not complete**'}."
    )
    yield ""


def _table(found: Found) -> Iterator[str]:
    yield f"| {' | '.join(HEAD)} |"
    yield f"|{'---|' * len(HEAD)}"
    for entry in in_order(found):
        yield f"| {' | '.join(_cells(found, entry))} |"


def _cells(found: Found, entry: Entry) -> Iterator[str]:
    yield f"**{entry.title}**" if entry.name == WAYBILL else entry.title + " (limit)" * entry.limit
    yield "yes" if entry.durable else "no"
    for what, value, say in (
        (HAPPY, "per_second", _whole), (FAILING, "per_second", _whole), (ALONE, "", _whole),
        (HAPPY, "cpu_ms", _fine), (HAPPY, "commits", _fine), (HAPPY, "wal_kb", _fine), (FAILING, "peak_mb", _whole),
    ):  # fmt: skip
        yield _spread(found.spread(entry.name, what, value), say) if value else _latencies(found, entry.name)


def _latencies(found: Found, name: str) -> str:
    medians = [found.median(name, ALONE, f"p{point}_ms") for point in (50, 95, 99)]
    return " / ".join("–" if value is None else f"{value:.1f}" for value in medians)


def _spread(spread: Spread | None, say: Callable[[float], str]) -> str:
    if spread is None:
        return "–"
    middle, low, high = say(spread.median), say(spread.low), say(spread.high)
    return middle if low == high else f"{middle} ({low}–{high})"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _fine(value: float) -> str:
    return f"{value:,.2f}" if value < 10 else f"{value:,.1f}"


def _targets(found: Found) -> Iterator[str]:
    yield "| Waybill | figure | reached |"
    yield "|---|---|---|"
    for target in targets(found):
        yield f"| {target.words} | {target.figure or '–'} | {target.answer} |"
    yield ""


def _absent(found: Found) -> Iterator[str]:
    for entry in found.entries:
        if entry.missing:
            yield f"- Missing: {entry.title}. {entry.missing}"
        elif entry.name in found.failed:
            yield f"- Broke down: {entry.title}. {found.failed[entry.name]}"
    if found.broken:
        yield f"- **The books do not balance: {found.broken}**"
    yield ""


def _machine(found: Found) -> Iterator[str]:
    shown = [e.version if e.limit else f"{e.title}: {e.version}" for e in found.entries if e.version]
    yield f"Versions: {'; '.join(dict.fromkeys(shown))}."
    yield ""
    yield f"Measured on: {', '.join(f'{name} {value}' for name, value in found.machine.items())}."
