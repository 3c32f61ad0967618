"""The full order flow with all queues in one worker, and with a worker for each app: what a hop between them costs.

Gateway and carrier are inside the workers, so that nothing but Waybill, PostgreSQL and the broker is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from benchmarks import stand
from benchmarks.full_flow import goods, loads
from benchmarks.full_flow.loads import Load
from benchmarks.full_flow.meters import Groups
from benchmarks.full_flow.profile import Profile, settle
from benchmarks.full_flow.system import System, running
from benchmarks.scale_out import groups
from benchmarks.scale_out.model import Costs
from benchmarks.scale_out.shop import BYTES, CONNECTED, batch_seconds
from benchmarks.side_by_side import workload
from benchmarks.side_by_side.figures import percentiles
from config.embedded.stack import STEP_QUEUES as QUEUES
from config.embedded.state import State
from inventory.contract import RESERVE_STOCK
from orders.contract import FULFIL_ORDER, ORCHESTRATION
from sagas.bus import subscriptions
from sagas.clock import database_now
from sagas.definition import latest, plan
from sagas.sql import rows
from sagas.steps import get_step

STATE = "SELECT state FROM orders_order WHERE external_reference = %s"
PAUSE_SECONDS = 0.05
#: So many orders are led by one process alone, to see how long each reader of the log is busy with them.
ONE_BY_ONE = 1_000


@dataclass(frozen=True)
class Arrangement:
    """Workers by name: the queues of each, and how many processes it has."""

    title: str
    queues: Mapping[str, Sequence[str]]
    processes: int

    @property
    def all_processes(self) -> int:
        """Of all workers together."""
        return self.processes * len(self.queues)


def arrangements(of_one: int, of_each: int) -> list[Arrangement]:
    """One worker for all queues, as it is embedded; the same with as many processes as the others have together; and a
    worker for each queue, as `docker-compose` runs them."""
    apart = {f"worker-{queue}": (queue,) for queue in QUEUES}
    together = {"worker-1": QUEUES}
    return [
        Arrangement(f"one worker of {of_one}", together, of_one),
        Arrangement(f"one worker of {of_each * len(apart)}", together, of_each * len(apart)),
        Arrangement(f"{len(apart)} workers of {of_each}", apart, of_each),
    ]


@dataclass
class Arranged(System):
    """The system with other workers."""

    arrangement: Arrangement = field(kw_only=True)

    @classmethod
    def of(cls, system: System, arrangement: Arrangement) -> Arranged:
        """The same services."""
        return cls(system.state, system.stack, system.shop, system.processes, arrangement=arrangement)

    def groups(self, *names: str) -> Groups:
        """A group for each worker."""
        pid = self.stack.supervisor.pid
        return {name: pid(name) for name in (*self.arrangement.queues, *(n for n in names if n != "workers"))}

    @contextmanager
    def _workers(self) -> Iterator[None]:
        stack, started = self.stack, []
        try:
            for name, queues in self.arrangement.queues.items():
                stack.supervisor.start(
                    stack.worker(name, queues=queues, processes=self.arrangement.processes), wait=False
                )
                started.append(name)
            stack.supervisor.start(stack.keep(), wait=False)
            started.append("keep")
            stack.supervisor.await_all()
            yield
        finally:
            for name in started:
                stack.supervisor.stop(name)


@dataclass
class Arrived:
    """What one arrangement did in all its turns."""

    arrangement: Arrangement
    loads: list[Load] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    sessions: list[float] = field(default_factory=list)
    kept_bytes: list[float] = field(default_factory=list)
    #: Of loads in which the step that takes stock had batches of its own: in one worker it follows in others' commits.
    shelf_ms: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """The median of its loads."""
        return median(load.rate for load in self.loads)

    @property
    def alone_ms(self) -> list[float]:
        """One order alone: p50, p95."""
        return percentiles(self.alone, 50, 95)

    def cost(self, name: str) -> float:
        """What an order took of something, the median of its loads."""
        return median(load.costs[name] for load in self.loads)

    def usage(self, cores: int) -> groups.Usage:
        """Whose processor time an order took."""
        ms = dict.fromkeys(groups.GROUPS, 0.0)
        for name in self.loads[0].costs:
            if program := name.removeprefix("cpu ms, ") if name.startswith("cpu ms, ") else "":
                ms[groups.group_of(program)] += self.cost(name)
        return groups.Usage(ms, self.per_second, cores)

    def costs(self, *, reader_ms: float, shelf_ms: float) -> Costs:
        """What an order costs, for the model. The last two are measured where nobody waits for others."""
        ms = self.usage(1).ms
        return Costs(
            database_ms=ms[groups.POSTGRES], workers_ms=ms[groups.WORKERS], intake_ms=ms[groups.DRIVER],
            broker_ms=ms[groups.BROKER], log_bytes=self.cost("wal_bytes"), kept_bytes=median(self.kept_bytes),
            commits=self.cost("commits"), connections=median(self.sessions), shelf_ms=shelf_ms,
            reader_ms=reader_ms,
        )  # fmt: skip


@dataclass
class FlowCourse:
    """Every arrangement in each repeat, another one first each time."""

    system: System
    orders: int
    repeats: int
    alone: int
    say: Callable[[str], None]

    def run(self, wanted: Sequence[Arrangement]) -> list[Arrived]:
        """Measure all of them."""
        found = [Arrived(arrangement) for arrangement in wanted]
        for repeat in range(self.repeats):
            first = repeat % len(found)
            for one in [*found[first:], *found[:first]]:
                self._turn(one, repeat)
        return found

    def _turn(self, one: Arrived, repeat: int) -> None:
        system = Arranged.of(self.system, one.arrangement)
        name = f"{one.arrangement.title}-{repeat}".replace(" ", "-")
        with system.in_process():
            loads.waybill(system, ORCHESTRATION, f"warm-{name}", self.orders // 10, database_now())
            self._load(system, one, name)
            one.alone += [self._alone(f"{name}-alone-{n}") for n in range(self.alone)]
        self.say(
            f"{one.arrangement.title}: {one.loads[-1].rate:,.0f} orders/s, alone {one.alone_ms[0]:.1f} ms"
        )

    def _load(self, system: Arranged, one: Arrived, name: str) -> None:
        bytes_before, batches_before = rows(BYTES)[0][0], batch_seconds(system.state, RESERVE_STOCK)
        one.loads.append(loads.waybill(system, ORCHESTRATION, name, self.orders, database_now()))
        batches = batch_seconds(system.state, RESERVE_STOCK)
        seconds, count = (now - then for now, then in zip(batches, batches_before, strict=True))
        if count:
            one.shelf_ms.append(seconds * 1000 / count)
        one.kept_bytes.append((rows(BYTES)[0][0] - bytes_before) / self.orders)
        one.sessions.append(rows(CONNECTED)[0][0] / one.arrangement.all_processes)

    def _alone(self, name: str) -> float:
        """From placing until it is seen to be confirmed, in milliseconds."""
        time.sleep(PAUSE_SECONDS)
        (order,) = workload.orders(name, 1)
        began = time.monotonic()
        goods.place(self.system.shop, [order], style=ORCHESTRATION, placed_at=database_now(), batch=1)
        seen = stand.wait_until(
            lambda: rows(STATE, [order.reference])[0][0] == "confirmed", look_seconds=0.0005
        )
        return (seen - began) * 1000

    def reader_ms(self) -> float:
        """For how long the slowest reader of the log is busy with an order, in a process that does nothing else."""
        profile = Profile(rows("SELECT pg_backend_pid()")[0][0])
        settle(profile)
        profile.parts.clear()
        wanted = workload.orders("one-by-one", ONE_BY_ONE)
        goods.place(self.system.shop, wanted, style=ORCHESTRATION, placed_at=database_now(), batch=100)
        settle(profile)
        readers = [profile.parts[sub.name].wall_s for sub in subscriptions()]
        return max(readers) * 1000 / ONE_BY_ONE


def hops() -> int:
    """How often an order goes on in another queue on its way to confirmed, when each has a worker of its own."""
    planned = plan(FULFIL_ORDER, latest(FULFIL_ORDER).version)
    assert planned is not None
    queues = [get_step(place.spec.name).queue for place in planned.places]
    return sum(here != there for here, there in pairwise(queues))


@contextmanager
def course(
    folder_state: State,
    *,
    orders: int,
    old: int,
    repeats: int,
    alone: int,
    processes: int,
    say: Callable[[str], None],
) -> Iterator[FlowCourse]:
    """The services, with so many old orders in the tables."""
    with running(folder_state, old=old, processes=processes) as system:
        yield FlowCourse(system, orders, repeats, alone, say)
