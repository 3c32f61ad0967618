"""The gateway is down while orders come in: real workers, real loops, a real broker, and the sandbox counting calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from config.embedded.programs import Program
from config.embedded.stack import MANAGE
from config.embedded.state import BASE_DIR
from config.embedded.supervisor import Supervisor
from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from orders.models import Order
from sagas.models import Saga, SagaStep
from sagas.resilience.circuit import CircuitPolicy
from tests.conftest import StartWorker
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Fulfilment

POLICY = CircuitPolicy(
    failure_threshold=5,
    recovery_timeout=2,
    probes=3,
    successes_to_close=3,
    ramp_seconds=5,
    ramp_from=5,
    ramp_to=25,
)
RULES = {
    "WAYBILL_CIRCUIT_FAILURES": "5",
    "WAYBILL_CIRCUIT_RECOVERY_SECONDS": "2",
    "WAYBILL_CIRCUIT_PROBES": "3",
    "WAYBILL_CIRCUIT_SUCCESSES": "3",
    "WAYBILL_CIRCUIT_RAMP_SECONDS": "5",
    "WAYBILL_CIRCUIT_RAMP_FROM": "5",
    "WAYBILL_CIRCUIT_RAMP_TO": "25",
    "WAYBILL_LOG_LEVEL": "INFO",
}
#: Calls that were out or on their way when the circuit opened.
IN_FLIGHT = 64


@dataclass
class Stage:
    """A shop with workers, and a gateway that can be switched off."""

    shop: Fulfilment
    sandbox: SandboxProcess
    placed: int = 0

    def order(self, count: int) -> None:
        for _ in range(count):
            self.placed += 1
            self.shop.order(f"O-{self.placed}")

    def order_for(self, seconds: float, per_second: int) -> None:
        """Orders come in at a steady rate."""
        begin = time.monotonic()
        for n in range(int(seconds * per_second)):
            time.sleep(max(0.0, begin + n / per_second - time.monotonic()))
            self.order(1)

    def switch_off(self) -> None:
        for operation in ("create", "authorize", "capture", "retrieve"):
            self.sandbox.script(operation, "*", "unavailable", times=10**6)

    def switch_on(self) -> None:
        self.sandbox.control("DELETE", "/sandbox/scripts")

    def calls(self, *operations: str) -> int:
        """How many calls have reached the gateway."""
        counts = self.sandbox.control("GET", "/sandbox/attempts")["attempts"]
        return sum(counts.get(operation, 0) for operation in operations)

    def confirmed(self) -> int:
        return Order.objects.filter(state="confirmed").count()

    def until_confirmed(self, count: int, seconds: float) -> None:
        stop = time.monotonic() + seconds
        while self.confirmed() < count:
            assert time.monotonic() < stop, f"{self.confirmed()} of {count} confirmed"
            time.sleep(0.1)


@pytest.fixture
def stage(
    fulfilment: Fulfilment, sandbox: SandboxProcess, celery_worker_process: StartWorker,
    processes: Supervisor, system_env: dict[str, str],
) -> Iterator[Stage]:  # fmt: skip
    """Two workers of two processes each, and the loops, against the sandbox."""
    env = {"WAYBILL_SANDBOX_URL": sandbox.url} | RULES
    fulfilment.shelve(MUG=100_000)
    for _ in range(2):
        celery_worker_process(pool_size=2, env=env)
    keep = Program(
        name="keep", command=(*MANAGE, "keep"), env=system_env | env | {"WAYBILL_ROLE": "keep"}, cwd=BASE_DIR
    )
    processes.start(keep)
    made = Stage(fulfilment, sandbox)
    yield made
    made.switch_on()


def outage(stage: Stage, *, seconds: float, per_second: int) -> None:
    """Orders before, during and after an outage; everything the provider and the shop are owed is looked at."""
    stage.order_for(2, per_second)
    stage.until_confirmed(stage.placed, 20)
    stage.switch_off()
    before = stage.calls("create", "authorize", "capture", "retrieve")

    stage.order_for(seconds, per_second)

    met = stage.calls("create", "authorize", "capture", "retrieve") - before
    rounds = seconds / POLICY.recovery_timeout + 1
    circuits = 2  # authorize and capture
    assert met <= IN_FLIGHT + circuits * POLICY.probes * rounds
    assert met >= POLICY.failure_threshold + POLICY.probes
    assert set(Saga.objects.exclude(finished_at__isnull=False).values_list("state", "hold")) <= {
        ("pending", "none"), ("running", "none"),
    }  # fmt: skip
    recovers(stage)


def recovers(stage: Stage) -> None:
    """The provider is back: work returns along the ramp, and all of it is done."""
    waiting = stage.placed - stage.confirmed()
    before, began = stage.calls("authorize"), time.monotonic()
    stage.switch_on()
    looks = []
    while stage.confirmed() < stage.placed:
        assert time.monotonic() - began < 60
        asked = time.monotonic()
        looks.append((asked, stage.calls("authorize") - before, time.monotonic()))
        time.sleep(0.2)

    assert waiting > POLICY.allowance(2)
    # The circuit closed after the last look that saw too few successes for it; a slow look only widens what is allowed.
    closed_after = max(
        (asked for asked, calls, _ in looks if calls < POLICY.successes_to_close), default=began
    )
    on_the_ramp = [
        (calls, answered - closed_after)
        for _, calls, answered in looks
        if answered < closed_after + POLICY.ramp_seconds
    ]
    assert max(calls for calls, _ in on_the_ramp) > POLICY.successes_to_close
    for calls, since in on_the_ramp:
        assert calls <= POLICY.probes * 2 + POLICY.allowance(since)
    tries = SagaStep.objects.filter(name="payments.authorize_payment").values_list("tries", flat=True)
    assert max(tries) <= 2
    assert set(Saga.objects.values_list("state", flat=True)) == {"completed"}


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    "fulfilment", [ORCHESTRATION, pytest.param(CHOREOGRAPHY, marks=pytest.mark.chaos)], indirect=True
)
def test_f16_an_outage_of_the_gateway_costs_time_and_nothing_else(stage: Stage) -> None:
    outage(stage, seconds=8, per_second=15)


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_f16_a_minute_without_the_gateway_costs_time_and_nothing_else(stage: Stage) -> None:
    outage(stage, seconds=60, per_second=20)
