"""Scale-out: whose processor time it is, what stands in the way, and the model from one order to a whole site."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from benchmarks.scale_out import report
from benchmarks.scale_out.groups import BROKER, DRIVER, LOOPS, POSTGRES, WORKERS, Usage, group_of
from benchmarks.scale_out.model import CORES, LOG, READER, SHELF, Costs, Site, most_per_second, needs

COSTS = Costs(
    database_ms=0.3, workers_ms=0.2, intake_ms=0.1, broker_ms=0.005, log_bytes=10_000, kept_bytes=5_000, commits=0.03,
    connections=1, shelf_ms=0.12, reader_ms=0.0,
)  # fmt: skip
SITE = Site(
    orders_per_minute=600_000, busy=0.5, cores_of_a_primary=16, log_mb_per_second=200, commits_per_second=5_000,
    connections_of_a_primary=400,
)  # fmt: skip


def test_cores_are_the_work_of_a_second_by_how_busy_one_may_be() -> None:
    need = needs(COSTS, SITE)

    assert (need.database_cores, need.worker_cores, need.intake_cores) == (6, 4, 2)
    assert need.gb_a_day == pytest.approx(4_320)


def test_a_shop_whose_orders_all_want_the_same_shelf_is_stopped_by_that_first() -> None:
    need = needs(COSTS, SITE)

    assert need.breaks_first.what == SHELF
    assert need.breaks_first.times == pytest.approx(2.4)
    assert need.shelves == 3
    assert need.primaries == 1


def test_a_reader_that_is_slower_than_the_shelf_is_what_breaks_first() -> None:
    need = needs(replace(COSTS, reader_ms=0.5), SITE)

    assert need.breaks_first.what == READER
    assert need.readers == 10


@pytest.mark.parametrize(
    ("change", "primaries"),
    [
        ({"log_bytes": 45_000}, 3),
        ({"database_ms": 1.7}, 3),
        ({"commits": 1.1}, 3),
        ({"workers_ms": 100.0}, 5),
    ],
)
def test_primaries_are_as_many_as_the_scarcest_part_of_one_asks_for(
    change: dict[str, float], primaries: int
) -> None:
    assert needs(replace(COSTS, **change), SITE).primaries == primaries


def test_the_highest_rate_with_one_of_everything_is_where_the_first_limit_is_reached() -> None:
    most = most_per_second(COSTS, SITE)

    assert most == pytest.approx(10_000 / 2.4)
    at_the_limit = replace(SITE, orders_per_minute=most * 60)
    assert needs(COSTS, at_the_limit).breaks_first.times == pytest.approx(1.0)


def test_twice_the_rate_needs_twice_of_what_orders_use() -> None:
    def used(rate: float) -> dict[str, float]:
        limits = needs(COSTS, replace(SITE, orders_per_minute=rate)).limits
        return {limit.what: limit.needed for limit in limits}

    once, twice = used(600_000), used(1_200_000)

    assert {what: twice[what] / once[what] for what in (CORES, LOG, SHELF)} == pytest.approx(
        {CORES: 2, LOG: 2, SHELF: 2}
    )


def test_every_cost_has_its_words_in_the_table() -> None:
    assert set(report.WORDS) == {field.name for field in fields(Costs)}
    assert len(list(report.coefficients({"shop": COSTS}))) == 3 + len(fields(Costs))


def test_the_model_says_what_breaks_first() -> None:
    lines = list(report.model({"shop": COSTS}, SITE))

    assert "| cores for PostgreSQL | 6 |" in lines
    (first,) = (line for line in lines if line.startswith("- shop"))
    assert first.startswith(f"- shop, with one of everything breaks first: {SHELF} (2.40 times), then ")


@pytest.mark.parametrize(
    ("program", "group"),
    [
        ("worker-1", WORKERS), ("worker-payments", WORKERS), ("postgres", POSTGRES), ("valkey", BROKER),
        ("keep", LOOPS), ("placing", DRIVER), ("sandbox", "sandbox"),
    ],
)  # fmt: skip
def test_a_program_belongs_to_a_group_by_its_name(program: str, group: str) -> None:
    assert group_of(program) == group


def usage(*, workers: float, postgres: float, driver: float, rate: float) -> Usage:
    return Usage({WORKERS: workers, POSTGRES: postgres, DRIVER: driver}, rate, cores=2)


def test_a_full_machine_is_bound_by_whoever_uses_most_of_it() -> None:
    found = usage(workers=0.3, postgres=0.5, driver=0.1, rate=2_000)

    assert found.busy == pytest.approx(0.9)
    assert found.bottleneck == "the processor (90% busy): most of it, 56%, goes to PostgreSQL"


def test_a_driver_that_fills_its_core_is_what_bounds() -> None:
    found = usage(workers=0.1, postgres=0.2, driver=0.45, rate=2_000)

    assert found.bottleneck == "the driver: it has one core and uses 90% of it"


def test_a_machine_with_idle_cores_waits() -> None:
    found = usage(workers=0.2, postgres=0.1, driver=0.1, rate=1_000)

    assert found.bottleneck == "waiting: 20% of the processor is busy, most of it with workers"


def test_a_hop_is_the_difference_by_the_number_of_hops() -> None:
    one = report.Line(
        "one worker", usage(workers=1.0, postgres=1.0, driver=0.0, rate=100), (20.0, 30.0), 0.2, 30.0, 0.02
    )
    many = report.Line(
        "five", usage(workers=2.0, postgres=1.5, driver=0.0, rate=90), (45.0, 60.0), 0.5, 33.0, 0.07
    )

    lines = list(report.hop([one], many, 5))

    assert "| one order alone, p50, ms | +5.000 |" in lines
    assert "| processor time under load, ms | +0.300 |" in lines
    assert "| commits under load | +0.060 |" in lines


def test_an_order_changes_the_queue_five_times() -> None:
    from benchmarks.scale_out import flow

    assert flow.hops() == 5


def test_workers_of_the_apps_have_as_many_processes_as_the_one_they_are_compared_with() -> None:
    from benchmarks.scale_out import flow

    embedded, together, apart = flow.arrangements(2, 1)

    assert (embedded.all_processes, together.all_processes, apart.all_processes) == (2, 5, 5)
    assert sorted(queue for queues in apart.queues.values() for queue in queues) == sorted(
        together.queues["worker-1"]
    )
