"""Who meets trouble is decided by seed, operation and reference alone."""

from __future__ import annotations

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from config.sandbox.profiles import DEMO, QUIET, BadRule, Profile, Rule, draw, load_profile
from payments.gateways.base import CaptureIntent, ConfirmIntent, CreateIntent, Intent, IntentStatus
from payments.gateways.sandbox import SandboxGateway
from sagas.verdicts import Refused
from tests.sandbox_process import running_sandbox

REFERENCES = [str(536_000 + number) for number in range(20_000)]


def actions(profile: Profile, operation: str, seed: int = 1) -> Counter[str]:
    rules = (profile.rule_for(seed, operation, reference) for reference in REFERENCES)
    return Counter(rule.action if rule else "approve" for rule in rules)


def test_the_demo_declines_about_four_percent_and_breaks_one_percent_half_of_it_done() -> None:
    found = actions(DEMO, "authorize")

    assert 0.035 < found["decline"] / len(REFERENCES) < 0.045
    assert 0.0035 < found["do_then_drop"] / len(REFERENCES) < 0.0065
    assert 0.0035 < found["drop"] / len(REFERENCES) < 0.0065
    assert found["rate_limit"] > 0
    assert found["do_then_5xx"] > 0


def test_the_demo_declines_with_several_codes() -> None:
    rules = (DEMO.rule_for(1, "authorize", reference) for reference in REFERENCES)
    codes = {rule.params["code"] for rule in rules if rule is not None and rule.action == "decline"}

    assert codes == {"insufficient_funds", "do_not_honor", "expired_card", "lost_card", "fraudulent"}


def test_the_demos_carrier_refuses_about_two_percent() -> None:
    assert 0.016 < actions(DEMO, "book")["refuse"] / len(REFERENCES) < 0.024


def test_the_quiet_profile_approves_everything() -> None:
    assert actions(QUIET, "authorize") == Counter(approve=len(REFERENCES))


def test_another_seed_strikes_others() -> None:
    struck = [
        {reference for reference in REFERENCES if DEMO.rule_for(seed, "authorize", reference)}
        for seed in (1, 2)
    ]

    assert struck[0] != struck[1]
    assert len(struck[0] & struck[1]) < 0.2 * len(struck[0])


def test_a_draw_never_changes() -> None:
    assert [round(draw(1, "authorize", "536365"), 6), round(draw(2, "book", "536365"), 6)] == [
        0.499416,
        0.651881,
    ]


def test_trouble_ends_and_decisions_stay() -> None:
    assert all(rule.most_times == 1 for rule in DEMO.rules if rule.action not in {"decline", "refuse"})
    assert all(rule.most_times is None for rule in DEMO.rules if rule.action in {"decline", "refuse"})


def test_a_profile_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stormy.json"
    file.write_text(json.dumps([{"operation": "book", "action": "drop", "share": 1, "times": 3}]))

    profile = load_profile(str(file))

    assert profile.name == "stormy"
    assert profile.rule_for(1, "book", "A-1") == Rule(
        operation="book", action="drop", share=1, times=3, name="profile:book"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "not a list"),
        ("[1]", "a rule is an object"),
        ("nonsense", "not JSON"),
        (
            '[{"operation": "book", "action": "drop"}, {"operation": "book", "action": "refuse"}]',
            "more than 1",
        ),
        ('[{"operation": "book", "action": "drop", "share": -1}]', "not between 0 and 1"),
        ('[{"operation": "book", "action": "drop", "shares": 1}]', "unknown field shares"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)

    with pytest.raises(BadRule, match=problem):
        load_profile(str(file))


STORMY = [
    {"operation": "authorize", "action": "decline", "share": 0.2, "params": {"code": "lost_card"}},
    {"operation": "authorize", "action": "do_then_drop", "share": 0.15},
    {"operation": "authorize", "action": "drop", "share": 0.15},
    {"operation": "authorize", "action": "do_then_5xx", "share": 0.1, "params": {"status": 500}},
    {"operation": "authorize", "action": "rate_limit", "share": 0.1},
    {"operation": "capture", "action": "decline", "share": 0.1, "params": {"code": "expired_card"}},
    {"operation": "capture", "action": "do_then_drop", "share": 0.3},
    {"operation": "capture", "action": "drop", "share": 0.3},
]


def one_order(gateway: SandboxGateway, reference: str) -> str:
    """Authorize and capture as a saga would, settling what is unknown by retrieving it."""
    intent = gateway.create(
        CreateIntent(
            key=uuid4(), reference=reference, amount_minor=500, currency="GBP", payment_method="pm_card"
        )
    )
    assert isinstance(intent, Intent)
    for _ in range(9):
        match intent.status:
            case IntentStatus.UNCONFIRMED:
                answer = gateway.confirm(ConfirmIntent(key=uuid4(), intent_id=intent.id))
            case IntentStatus.AUTHORIZED:
                answer = gateway.capture(CaptureIntent(key=uuid4(), intent_id=intent.id, amount_minor=500))
            case _:
                return intent.status
        if isinstance(answer, Refused):
            return answer.code
        found = gateway.retrieve(intent.id)
        assert isinstance(found, Intent)
        intent = found
    raise AssertionError(f"{reference} never ended")


def ends_of_a_run(folder: Path, profile: Path, *, threads: int, order: int) -> dict[str, str]:
    references = [f"R-{number}" for number in range(200)]
    random.Random(order).shuffle(references)
    with running_sandbox(folder, "--seed", "42", "--profile", str(profile)) as sandbox:
        gateway = SandboxGateway(sandbox.client())
        with ThreadPoolExecutor(threads) as pool:
            ends = dict(
                zip(references, pool.map(lambda one: one_order(gateway, one), references), strict=True)
            )
        for reference, end in ends.items():
            effects = sandbox.effects(reference)
            assert effects["captures"] == (end == IntentStatus.CAPTURED)
            assert effects["holds"] == (end != "payments.declined")
    return ends


def test_two_runs_of_one_seed_end_the_same_whatever_the_scheduling(tmp_path: Path) -> None:
    profile = tmp_path / "stormy.json"
    profile.write_text(json.dumps(STORMY))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()

    first = ends_of_a_run(tmp_path / "one", profile, threads=1, order=1)
    second = ends_of_a_run(tmp_path / "two", profile, threads=8, order=2)

    assert first == second
    assert set(first.values()) == {IntentStatus.CAPTURED, "payments.declined", "payments.capture_failed"}
