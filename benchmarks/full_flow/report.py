"""The figures of a run as one document, and the same in Markdown. Every figure comes from the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.full_flow.course import CALLS, OVER_HTTP, ROWS
from benchmarks.full_flow.loads import Load
from orders.contract import CHOREOGRAPHY, ORCHESTRATION

#: What is compared with what, and the least the ratio should be.
TARGETS = (
    (ORCHESTRATION, ROWS, 0.35),
    (CHOREOGRAPHY, ROWS, 0.35),
    (OVER_HTTP[ORCHESTRATION], CALLS, 0.60),
    (OVER_HTTP[CHOREOGRAPHY], CALLS, 0.60),
    (CHOREOGRAPHY, ORCHESTRATION, 0.80),
    (OVER_HTTP[CHOREOGRAPHY], OVER_HTTP[ORCHESTRATION], 0.80),
)


def figures(loads: Mapping[str, Sequence[Load]]) -> dict[str, dict[str, Any]]:
    """For each side the median of its loads, and each of them."""
    return {side: _figures(found) for side, found in loads.items()}


def _figures(found: Sequence[Load]) -> dict[str, Any]:
    names = dict.fromkeys(name for load in found for name in load.costs)
    return {
        "orders/s": median(load.rate for load in found),
        "orders/s, each load": [load.rate for load in found],
        "orders/s until the last was confirmed": median(load.confirmed_rate for load in found),
        "orders of a load": found[0].orders,
        "per order": {name: median(load.costs[name] for load in found) for name in names},
        "cpu ms per order": median(_cpu(load) for load in found),
        "share of a core, sandbox": median(_share(load, "sandbox") for load in found),
    }


def _cpu(load: Load) -> float:
    return sum(cost for name, cost in load.costs.items() if name.startswith("cpu ms"))


def _share(load: Load, group: str) -> float:
    return load.costs.get(f"cpu ms, {group}", 0.0) / 1000 * load.rate


def ratios(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each comparison, with its target and whether it was met.

    Processor time is compared too: it tells what bounds a side, and hardly changes with what else the machine does.
    """
    return [
        {
            "what": f"{one} / {other}",
            "ratio": (ratio := found[one]["orders/s"] / found[other]["orders/s"]),
            "by processor time": found[other]["cpu ms per order"] / found[one]["cpu ms per order"],
            "target": target,
            "met": ratio >= target,
        }
        for one, other, target in TARGETS
    ]


def markdown(run: Mapping[str, Any]) -> str:
    """The whole report."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Mapping[str, Any]) -> Iterator[str]:
    sides = run["sides"]
    yield f"# The full order flow, {run['at']}\n"
    yield ", ".join(f"{name} {value}" for name, value in run["machine"].items()) + ".\n"
    yield "| | ratio | target | met | by processor time |"
    yield "|---|---|---|---|---|"
    for one in run["ratios"]:
        met, cpu = "yes" if one["met"] else "no", one["by processor time"]
        yield f"| {one['what']} | {one['ratio']:.2f} | {one['target']:.2f} | {met} | {cpu:.2f} |"
    yield f"\n| | {' | '.join(sides)} |"
    yield "|---|" + "---|" * len(sides)
    yield _line("orders/s (median)", [f"{s['orders/s']:,.0f}" for s in sides.values()])
    yield _line("each load", [_each(s["orders/s, each load"]) for s in sides.values()])
    last = [f"{s['orders/s until the last was confirmed']:,.0f}" for s in sides.values()]
    yield _line("until the last was confirmed", last)
    for name in dict.fromkeys(name for s in sides.values() for name in s["per order"]):
        yield _line(f"{name} per order", [_number(s["per order"].get(name)) for s in sides.values()])
    yield _line("cpu ms, all, per order", [_number(s["cpu ms per order"]) for s in sides.values()])
    yield _line("share of a core, sandbox", [_percent(s["share of a core, sandbox"]) for s in sides.values()])
    yield "\nBooks, rows and calls: " + (
        "all as they must be." if not run["wrong"] else "NOT as they must be:"
    )
    yield from (f"- {line}" for line in run["wrong"])


def _line(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _each(rates: Sequence[float]) -> str:
    return " / ".join(f"{rate:,.0f}" for rate in rates)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share else ""
