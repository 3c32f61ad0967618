"""Real workers, a real broker, real deaths."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

import redis
from django.conf import settings

from config.embedded.programs import Program
from config.embedded.stack import MANAGE, worker_command
from config.embedded.state import BASE_DIR
from config.embedded.supervisor import Supervisor
from sagas.models import Saga
from tests.conftest import StartWorker
from tests.sagas import toys
from tests.sagas.toys import Script

TOYS = {"DJANGO_SETTINGS_MODULE": "tests.sagas.toy_settings", "WAYBILL_CLAIM_LIMIT": "8"}
#: What a dead worker had asked the outside comes back when its lease runs out: soon, so that nobody waits a minute.
SHORT_LEASE = {
    "WAYBILL_LEASE_SECONDS": "5",
    "WAYBILL_CALL_TIMEOUT_SECONDS": "2",
    "WAYBILL_EXTERNAL_CLAIM_LIMIT": "32",
}
DEAD_BROKER = {"REDIS_URL": "redis://127.0.0.1:1/0"}


def until(condition: Callable[[], bool], seconds: float = 45) -> None:
    """Wait for a condition, looking ten times a second."""
    stop = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop, "it never came to be"
        time.sleep(0.1)


def completed() -> int:
    return Saga.objects.filter(state="completed").count()


def keep(processes: Supervisor, system_env: dict[str, str], **env: str) -> None:
    """Start the loops."""
    program = Program(
        name="keep",
        command=(*MANAGE, "keep"),
        env=system_env | TOYS | {"WAYBILL_ROLE": "keep"} | env,
        cwd=BASE_DIR,
    )
    processes.start(program)


def test_a_doorbell_takes_an_order_through_all_its_steps(
    toy: Script, celery_worker_process: StartWorker
) -> None:
    celery_worker_process(env=TOYS)

    toys.start()

    until(lambda: completed() == 1, seconds=15)
    assert toys.told() == ["open_case", "hold_money", "keep_goods", "take_money", "tell_shop"]


def test_f63_progress_is_made_with_a_dead_broker(
    toy: Script, processes: Supervisor, system_env: dict[str, str]
) -> None:
    toys.start_many([f"A-{n}" for n in range(30)])

    keep(processes, system_env, **DEAD_BROKER)

    until(lambda: completed() == 30)


def test_f61_progress_is_made_after_the_broker_lost_every_message(
    toy: Script, celery_worker_process: StartWorker, processes: Supervisor, system_env: dict[str, str]
) -> None:
    toys.start_many([f"A-{n}" for n in range(30)])
    redis.Redis.from_url(settings.WAYBILL.redis_url).flushall()
    celery_worker_process(env=TOYS)

    keep(processes, system_env)

    until(lambda: completed() == 30)


def test_f64_what_kills_its_worker_is_cornered_and_parked_and_the_rest_goes_on(
    toy: Script, celery_worker_process: StartWorker, processes: Supervisor, system_env: dict[str, str]
) -> None:
    deadly = {"TOY_DEADLY": "keep_goods@A-5"} | SHORT_LEASE
    celery_worker_process(env=TOYS | deadly)
    keep(processes, system_env, **deadly)

    toys.start_many([f"A-{n}" for n in range(20)])

    until(lambda: completed() == 19 and toys.saga("A-5").hold == "parked", seconds=120)
    assert toys.saga("A-5").hold_reason == "sagas.keep_goods: bug"


def test_compensation_runs_as_a_chain_without_any_loop(
    toy: Script, celery_worker_process: StartWorker
) -> None:
    celery_worker_process(env=TOYS | {"TOY_REFUSES": "take_money"})

    toys.start_many([f"A-{n}" for n in range(5)])

    until(lambda: Saga.objects.filter(state="compensated").count() == 5, seconds=20)
    assert toys.told("A-3")[-3:] == ["return_goods", "free_money", "close_case"]


def test_a_worker_per_step_owner_hands_sagas_on_by_message(
    toy: Script, celery_worker_process: StartWorker
) -> None:
    celery_worker_process(queues=("sagas",), env=TOYS)
    celery_worker_process(queues=("orders",), env=TOYS)

    toys.start("A-1")

    until(lambda: completed() == 1, seconds=20)


def test_a_worker_refuses_to_start_on_a_broken_definition(system_env: dict[str, str]) -> None:
    broken = system_env | {"DJANGO_SETTINGS_MODULE": "tests.sagas.broken_settings", "WAYBILL_ROLE": "worker"}

    done = subprocess.run(
        list(worker_command("broken", ("sagas",), 1)),
        cwd=BASE_DIR,
        env=os.environ | broken,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "sagas.no_undo is compensatable and declares no undo" in done.stdout + done.stderr
