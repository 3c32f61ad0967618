"""From what one order costs to how much a site needs at any rate, and what breaks first. Arithmetic, no measurement.

Everything that grows with the number of orders is a cost of one order times the rate. What divides it is a capacity:
of a core, of a primary's log, of what can be done only one after the other. Add to what is divided among many, and it
grows; what is not is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What one order costs, as measured. Milliseconds are of processor time, but for those that nobody can share.

    `shelf_ms` is for how long an order's part of a batch holds the rows that many orders want, `reader_ms` how long the
    slowest reader of the log is busy with its events; both are by the clock. `connections` are of one worker process.
    """

    database_ms: float
    workers_ms: float
    intake_ms: float
    broker_ms: float
    log_bytes: float
    kept_bytes: float
    commits: float
    connections: float
    shelf_ms: float
    reader_ms: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Site:
    """What is asked of a site, and what its parts can do. These are assumptions, not measurements.

    `busy` is how much of a core is to be used at most. `log_mb_per_second` is what a primary's disk and its replicas
    take of the log, `commits_per_second` how often it can make a commit last.
    """

    orders_per_minute: float = 1_000_000
    busy: float = 0.6
    cores_of_a_primary: int = 32
    log_mb_per_second: float = 200
    commits_per_second: float = 5_000
    connections_of_a_primary: int = 500

    @property
    def orders_per_second(self) -> float:
        """The rate."""
        return self.orders_per_minute / 60


@dataclass(frozen=True)
class Limit:
    """One thing that is used up: how much of it is needed, and how much there is in one."""

    what: str
    unit: str
    needed: float
    one: float

    @property
    def times(self) -> float:
        """How often one is needed. Above 1 it breaks."""
        return self.needed / self.one


@dataclass(frozen=True)
class Needs:
    """How much a site needs. `limits` are those of one primary and of one of everything, what breaks first in front."""

    limits: tuple[Limit, ...]
    worker_cores: int
    intake_cores: int
    database_cores: int
    primaries: int
    readers: int
    shelves: int
    gb_a_day: float

    @property
    def breaks_first(self) -> Limit:
        """What one of everything has least of."""
        return self.limits[0]


#: What is divided by having more primaries, each with shops of its own.
CORES, LOG, COMMITS, CONNECTIONS = "cores of the primary", "its log", "its commits", "its connections"
#: What is divided otherwise.
SHELF, READER, BROKER = "one shelf that all orders want", "one shard of the slowest reader", "one broker"


def needs(costs: Costs, site: Site) -> Needs:
    """What such a site needs when an order costs so much."""
    limits = tuple(sorted(_limits(costs, site), key=lambda limit: -limit.times))
    times = {limit.what: ceil(limit.times) for limit in limits}
    return Needs(
        limits=limits,
        worker_cores=_cores(costs.workers_ms, site),
        intake_cores=_cores(costs.intake_ms, site),
        database_cores=_cores(costs.database_ms, site),
        primaries=max(times[what] for what in (CORES, LOG, COMMITS, CONNECTIONS)),
        readers=times[READER],
        shelves=times[SHELF],
        gb_a_day=site.orders_per_second * 86_400 * costs.kept_bytes / 1e9,
    )


def most_per_second(costs: Costs, site: Site) -> float:
    """The highest rate with one of everything: one primary, one broker, one shelf, one shard of each reader."""
    return site.orders_per_second / needs(costs, site).breaks_first.times


def _limits(costs: Costs, site: Site) -> list[Limit]:
    rate = site.orders_per_second
    processes = _cores(costs.workers_ms, site)
    return [
        Limit(CORES, "cores", _used(costs.database_ms, rate), site.cores_of_a_primary * site.busy),
        Limit(LOG, "MB/s", rate * costs.log_bytes / 1e6, site.log_mb_per_second),
        Limit(COMMITS, "commits/s", rate * costs.commits, site.commits_per_second),
        Limit(CONNECTIONS, "connections", processes * costs.connections, site.connections_of_a_primary),
        Limit(SHELF, "busy", _used(costs.shelf_ms, rate), site.busy),
        Limit(READER, "busy", _used(costs.reader_ms, rate), site.busy),
        Limit(BROKER, "busy", _used(costs.broker_ms, rate), site.busy),
    ]


def _used(ms: float, rate: float) -> float:
    """So many of whatever does this are busy all the time."""
    return ms / 1000 * rate


def _cores(ms: float, site: Site) -> int:
    return ceil(_used(ms, site.orders_per_second) / site.busy)
