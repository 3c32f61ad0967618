"""A bank that goes down, and the circuit of holding money there, by a clock that tests move."""

from __future__ import annotations

from sagas import circuits
from sagas.clock import travel
from sagas.resilience import breaker
from sagas.resilience.circuit import CircuitPolicy
from sagas.steps import get_step
from sagas.verdicts import Unavailable
from tests.sagas.toys import Script, run, start_many

POLICY = CircuitPolicy(
    failure_threshold=3, recovery_timeout=20, probes=2, successes_to_close=2, minimum_volume=10**9,
    ramp_seconds=10, ramp_from=1, ramp_to=5, probe_seconds=60,
)  # fmt: skip
DOWN = Unavailable("bank.down")


class Time:
    """The circuits' clock and the database's, moved together."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return 1_000_000.0 + self.ahead

    def forward(self, seconds: float) -> None:
        self.ahead += seconds
        travel(self.ahead)


def hold_money() -> breaker.Breaker:
    return circuits.breaker_of(get_step("sagas.hold_money"))


def calls(toy: Script, what: str = "hold_money") -> int:
    return len([name for name, _ in toy.asked if name == what])


def break_down(toy: Script, sagas: int = 3) -> None:
    """The bank goes down under so many sagas."""
    toy.always["hold_money"] = DOWN
    start_many([f"A-{n}" for n in range(1, sagas + 1)])
    run("open_case")
