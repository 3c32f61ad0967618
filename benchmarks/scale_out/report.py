"""What was found, in Markdown: tables that stand by themselves, so that a document can take them over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from benchmarks.scale_out.groups import GROUPS, Usage
from benchmarks.scale_out.model import Costs, Site, most_per_second, needs


@dataclass(frozen=True)
class Line:
    """One way to run the workers, and what it did."""

    title: str
    usage: Usage
    alone_ms: Sequence[float]
    commits: float
    log_kb: float
    messages: float | None = None


def rates(lines: Sequence[Line]) -> Iterator[str]:
    """Figures of every way beside each other."""
    yield (
        "| | orders/s | alone p50 / p95, ms | CPU ms/order | machine busy | "
        + " | ".join(GROUPS)
        + " | commits/order | log KB/order | messages/order |"
    )
    yield f"|{'---|' * (8 + len(GROUPS))}"
    for line in lines:
        usage = line.usage
        shares = " | ".join(f"{usage.share(group):.0%}" for group in GROUPS)
        cells = [
            line.title, _number(usage.per_second), " / ".join(f"{ms:.1f}" for ms in line.alone_ms),
            _number(sum(usage.ms.values())), f"{usage.busy:.0%}", shares, _number(line.commits), _number(line.log_kb),
            "" if line.messages is None else _number(line.messages),
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield from (f"- What bounds {line.title}: {line.usage.bottleneck}." for line in lines)
    yield ""


def hop(together: Sequence[Line], apart: Line, hops: int) -> Iterator[str]:
    """The cost of a hop between workers: what they cost more than one worker does, by the number of hops."""
    yield f"An order changes the queue {hops} times. What a hop costs {apart.title}, by the difference to:"
    yield ""
    yield f"| | {' | '.join(line.title for line in together)} |"
    yield f"|---|{'---|' * len(together)}"
    for what, of in DIFFERENCES.items():
        cells = [f"{(of(apart) - of(line)) / hops:+.3f}" for line in together]
        yield f"| {what} | {' | '.join(cells)} |"
    yield ""


DIFFERENCES: dict[str, Callable[[Line], float]] = {
    "one order alone, p50, ms": lambda line: line.alone_ms[0],
    "processor time under load, ms": lambda line: sum(line.usage.ms.values()),
    "commits under load": lambda line: line.commits,
    "messages under load": lambda line: line.messages or 0.0,
}


def coefficients(costs: Mapping[str, Costs]) -> Iterator[str]:
    """What an order costs, a column for each workload: what the model is fed with."""
    yield f"| cost of an order | {' | '.join(costs)} |"
    yield f"|---|{'---|' * len(costs)}"
    for field in fields(Costs):
        cells = [_number(getattr(one, field.name)) for one in costs.values()]
        yield f"| {WORDS[field.name]} (`{field.name}`) | {' | '.join(cells)} |"
    yield ""


WORDS = {
    "database_ms": "processor time in PostgreSQL, ms",
    "workers_ms": "processor time in workers, ms",
    "intake_ms": "processor time of who takes it in, ms",
    "broker_ms": "processor time of the broker, ms",
    "log_bytes": "bytes of the database's log",
    "kept_bytes": "bytes that tables and indexes grow by",
    "commits": "commits",
    "connections": "connections of a worker process",
    "shelf_ms": "time of its part of the commit that holds hot rows, ms",
    "reader_ms": "time the slowest reader is busy with it, ms",
}


def model(costs: Mapping[str, Costs], site: Site) -> Iterator[str]:
    """What a site needs at its rate, a column for each workload; and what breaks first."""
    found = {name: needs(one, site) for name, one in costs.items()}
    yield f"At {site.orders_per_minute:,.0f} orders a minute ({site.orders_per_second:,.0f} a second), by the model:"
    yield ""
    yield f"| | {' | '.join(found)} |"
    yield f"|---|{'---|' * len(found)}"
    for what, values in (
        ("cores for workers", [f"{n.worker_cores}" for n in found.values()]),
        ("cores for taking orders in", [f"{n.intake_cores}" for n in found.values()]),
        ("cores for PostgreSQL", [f"{n.database_cores}" for n in found.values()]),
        ("primaries, shops divided among them", [f"{n.primaries}" for n in found.values()]),
        ("shards of the slowest reader", [f"{n.readers}" for n in found.values()]),
        ("shelves that orders are spread over", [f"{n.shelves}" for n in found.values()]),
        ("tables and indexes, GB a day", [f"{n.gb_a_day:,.0f}" for n in found.values()]),
        (
            "most orders a second with one of everything",
            [_number(most_per_second(c, site)) for c in costs.values()],
        ),
    ):
        yield f"| {what} | {' | '.join(values)} |"
    yield ""
    for name, need in found.items():
        order = ", then ".join(f"{limit.what} ({_number(limit.times)} times)" for limit in need.limits)
        yield f"- {name}, with one of everything breaks first: {order}."
    yield ""
    yield (
        f"Assumed: a core is used to {site.busy:.0%}; a primary has {site.cores_of_a_primary} cores, takes "
        f"{site.log_mb_per_second:.0f} MB of log and {site.commits_per_second:,.0f} commits a second and "
        f"{site.connections_of_a_primary} connections."
    )
    yield ""


def measured_on(machine: Mapping[str, Any]) -> Iterator[str]:
    """The machine."""
    yield f"Measured on: {', '.join(f'{name} {value}' for name, value in machine.items())}."


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or not value else f"{value:.4f}"
