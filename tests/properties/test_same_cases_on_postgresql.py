"""The same cases on the rules alone and on PostgreSQL: both tell the same story, row by row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagas.clock import travel
from sagas.engine import batch
from sagas.models import SagaStep
from sagas.steps import NotDone, get_step
from sagas.verdicts import Done, Refused, Unavailable, Unknown, Verdict
from tests.properties.world import World
from tests.sagas import toys

STEPS = ("open_case", "hold_money", "keep_goods", "take_money", "tell_shop")
TROUBLE = ("refused", "unavailable", "unknown_done", "unknown_not_done")

#: What each step meets before it is done at last.
Case = dict[str, list[str]]
cases = st.fixed_dictionaries({step: st.lists(st.sampled_from(TROUBLE), max_size=2) for step in STEPS})

Ending = tuple[str, dict[str, str]]


@pytest.fixture
def clean(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(batch.RNG, "uniform", lambda _low, high: high)
    yield
    toys.script.clear()


def possible(step: str, trouble: str) -> bool:
    """A local step has no unknown outcome; behind the pivot nothing may refuse."""
    external = get_step(f"sagas.{step}").external is not None
    return (external or not trouble.startswith("unknown")) and not (
        step == "tell_shop" and trouble == "refused"
    )


def by_the_rules(case: Case) -> Ending:
    """Play a case in memory."""
    world, left = (
        World(),
        {step: [t for t in troubles if possible(step, t)] for step, troubles in case.items()},
    )
    for _ in range(40):
        for row in world.due():
            troubles = left.get(row.name.partition(".")[2], [])
            settling = row.verdict == "unknown"
            world.run(row, "done" if settling or not troubles else troubles.pop(0))
        wakes = [r.wake_at for r in world.rows.values() if r.open and r.wake_at]
        world.now = max(world.now, min(wakes, default=world.now))
    return world.saga.state, {row.name: row.state for row in world.rows.values()}


def on_postgresql(case: Case, reference: str) -> Ending:
    """Play the same case with the engine, its statements and real transactions."""
    toys.script.clear()
    travel(0)
    for step, troubles in case.items():
        wanted = [t for t in troubles if possible(step, t)]
        toys.script.replies[step] = [_answer(t) for t in wanted]
        toys.script.replies[f"{step}?"] = [
            Done() if t == "unknown_done" else NotDone() for t in wanted if t.startswith("unknown")
        ]
    toys.start(reference)
    toys.settle()
    saga = toys.saga(reference)
    return saga.state, dict(SagaStep.objects.filter(saga=saga).values_list("name", "state"))


def _answer(trouble: str) -> Verdict:
    kinds: dict[str, Verdict] = {"refused": Refused("no"), "unavailable": Unavailable("busy")}
    return kinds.get(trouble) or Unknown("dropped")


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("step", STEPS)
def test_each_trouble_at_each_step_ends_alike(clean: None, step: str, trouble: str) -> None:
    case = {step: [trouble]}

    assert on_postgresql(case, "A-1") == by_the_rules(case)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases)
def test_any_mix_of_trouble_ends_alike(clean: None, case: Case) -> None:
    reference = f"A-{SagaStep.objects.count()}"

    ending = on_postgresql(case, reference)

    assert ending == by_the_rules(case)
    assert ending[0] in ("completed", "compensated")
