"""Real workers under real deaths: their children are killed, the broker forgets, the database stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from config.demo.run import lagging
from config.embedded.programs import Program
from config.embedded.stack import MANAGE
from config.embedded.state import BASE_DIR
from config.embedded.supervisor import Supervisor
from orders.contract import CHOREOGRAPHY
from sagas.models import Saga
from sagas.sql import execute
from tests import services
from tests.chaos import stages
from tests.chaos.test_crash_sweep import EXTERNAL, FORWARD, LOCAL, Undisturbed, undisturbed
from tests.conftest import StartWorker
from tests.scenarios.fulfilment import CONFIRMED, Fulfilment

__all__ = ["undisturbed"]

#: Leases so short that what a dead worker held is taken over soon.
QUICK = {
    "WAYBILL_LEASE_SECONDS": "2.5", "WAYBILL_CALL_TIMEOUT_SECONDS": "1", "WAYBILL_EXTERNAL_CLAIM_LIMIT": "32",
    "WAYBILL_LOG_LEVEL": "WARNING",
}  # fmt: skip
BACKWARD = ("shipping.cancel_shipment", "payments.void_authorization")
BACKWARD_LOCAL = ("inventory.release_reservation", "orders.cancel_order")


def until(true: Callable[[], bool], seconds: float = 100) -> None:
    """Wait for something, looking often. A database that is away just now says no."""
    end = time.monotonic() + seconds
    while not _holds(true):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.1)


def _holds(true: Callable[[], bool]) -> bool:
    try:
        return true()
    except DatabaseError:
        connection.close()
        return False


def quiet() -> bool:
    """Nothing is on its way any more."""
    return not Saga.objects.filter(finished_at=None).exists() and not lagging()


@pytest.fixture
def platform(
    fulfilment: Fulfilment,
    processes: Supervisor,
    celery_worker_process: StartWorker,
    system_env: dict[str, str],
) -> Iterator[Callable[..., None]]:
    """Start a worker with two processes, and the loops: `platform(WAYBILL_CRASH_POINT=..)`.

    The loops do overdue work themselves, so they may have to die as well.
    """
    env = QUICK | {"WAYBILL_SANDBOX_URL": fulfilment.sandbox.url}

    def start(**deadly: str) -> None:
        keep = Program(
            name="keep", command=(*MANAGE, "keep"), cwd=BASE_DIR,
            env=system_env | env | {"WAYBILL_ROLE": "keep"} | deadly,
        )  # fmt: skip
        processes.start(keep)
        celery_worker_process(pool_size=2, env=env | deadly)

    yield start
    processes.stop_all(grace_seconds=3)


@pytest.fixture
def durable(transactional_db: None) -> Iterator[None]:
    """A commit is on disk before it is told, as in production; the test clusters are quicker than that."""
    name = connection.settings_dict["NAME"]
    execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    connection.close()
    yield
    execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
    connection.close()


def places(steps: dict[str, tuple[str, ...]], wanted: tuple[str, ...]) -> list[str]:
    return [f"{step}.{place}" for step, known in steps.items() for place in known if place in wanted]


FEW_PLACES = [
    "payments.authorize_payment.after_call_before_commit",
    "inventory.reserve_stock.before_commit",
    "payments.capture_payment.after_call_before_commit",
    "orders.confirm_order.after_commit",
]
ALL_PLACES = (
    places(FORWARD, LOCAL + EXTERNAL)
    + [f"{step}.{place}" for step in BACKWARD for place in EXTERNAL]
    + [f"{step}.{place}" for step in BACKWARD_LOCAL for place in LOCAL]
)


@pytest.mark.parametrize(
    "deaths", [pytest.param(FEW_PLACES, id="few"), pytest.param(ALL_PLACES, id="all", marks=pytest.mark.chaos)]
)  # fmt: skip
@pytest.mark.timeout(300)
def test_f57_f58_workers_that_die_at_every_step_leave_the_same_behind(
    fulfilment: Fulfilment,
    undisturbed: Undisturbed,
    platform: Callable[..., None],
    tmp_path: Path,
    deaths: list[str],
) -> None:
    expected = undisturbed(stages.every_way)
    marker = tmp_path / "died"
    platform(WAYBILL_CRASH_POINT=",".join(deaths), WAYBILL_CRASH_MARKER=str(marker))

    stages.every_way(fulfilment)
    until(quiet, seconds=250)

    # In a choreography an order is accepted in the commit that places it: no worker runs that step.
    skipped = "orders.place_order." if fulfilment.style == CHOREOGRAPHY else "-"
    reached = [place for place in deaths if not place.startswith(skipped)]
    assert [place for place in reached if not Path(f"{marker}.{place}").exists()] == []
    assert stages.outcomes(fulfilment) == expected


def test_f57_f61_a_worker_and_the_queue_that_die_together_cost_only_time(
    fulfilment: Fulfilment, undisturbed: Undisturbed, platform: Callable[..., None], tmp_path: Path
) -> None:
    expected = undisturbed(stages.every_way)
    marker = tmp_path / "died"
    place = "payments.capture_payment.after_call_before_commit"
    platform(WAYBILL_CRASH_POINT=place, WAYBILL_CRASH_MARKER=str(marker))

    stages.every_way(fulfilment)
    until(lambda: Path(f"{marker}.{place}").exists())
    redis.Redis.from_url(settings.WAYBILL.redis_url).flushall()
    until(quiet)

    assert stages.outcomes(fulfilment) == expected


@pytest.mark.parametrize(("orders", "stops"), [(40, 2), pytest.param(320, 8, marks=pytest.mark.chaos)])
@pytest.mark.timeout(300)
def test_f65_a_database_that_stops_at_once_and_comes_back_loses_no_order(
    durable: None, fulfilment: Fulfilment, platform: Callable[..., None], orders: int, stops: int
) -> None:
    fulfilment.shelve(MUG=1000)
    platform()
    accepted: list[str] = []

    def send(count: int) -> None:
        for _ in range(count):
            reference = f"A-{len(accepted)}"
            until(partial(fulfilment.sent, reference))
            accepted.append(reference)

    for _ in range(stops):
        send(orders // stops)
        services.current().supervisor.kill("postgres")
    until(quiet, seconds=200)

    assert {fulfilment.ends(reference) for reference in accepted} == {CONFIRMED}
    effects = fulfilment.all_effects()
    assert len(accepted) == orders
    assert (effects["holds"], effects["captures"], effects["labels"]) == (orders, orders, orders)
    assert (effects["voids"], effects["refunds"], effects["cancellations"]) == (0, 0, 0)
    assert fulfilment.stock() == (1000, 0, orders)
