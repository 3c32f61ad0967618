"""`manage.py sagas`: what operators see and do from a shell."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sagas import operate
from sagas.clock import database_now
from sagas.definition import SagaDefinition, compensatable, register, retriable, unregister
from sagas.ids import uuid7
from sagas.models import Intent, ParkedEvent, Pause, Saga, SagaStep
from sagas.verdicts import Done, Refused, Unavailable
from tests.conftest import Manage
from tests.sagas import toys
from tests.sagas.toys import Script

WHO = ("--actor", "olga", "--reason", "the bank is back")


def sagas(*arguments: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("sagas", *arguments, stdout=out)
    return out.getvalue()


def as_json(*arguments: str) -> Any:
    return json.loads(sagas(*arguments, "--json"))


def parked(toy: Script, reference: str = "A-1") -> None:
    toy.always["hold_money"] = Unavailable("busy")
    toys.start(reference, amount_minor=1999, currency="GBP")
    toys.settle()
    toy.always.clear()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ((), ["stuck", "refused", "done"]),
        (("--state", "completed"), ["done"]),
        (("--hold", "parked"), ["stuck"]),
        (("--step", "sagas.hold_money"), ["stuck"]),
        (("--failure", "no_goods"), ["refused"]),
        (("--definition", "sagas.pair"), []),
        (("--key", "done"), ["done"]),
        (("--limit", "1"), ["stuck"]),
    ],
)
def test_list_finds_by_what_is_asked(toy: Script, filters: tuple[str, ...], found: list[str]) -> None:
    toys.start("done")
    toys.settle()
    toy.replies["keep_goods"] = [Refused("no_goods")]
    toys.start("refused")
    toys.settle()
    parked(toy, "stuck")

    assert [line["reference"] for line in as_json("list", *filters)] == found


def test_list_is_a_table_for_people(toy: Script) -> None:
    parked(toy)

    head, line = sagas("list").splitlines()

    assert head.split()[:3] == ["ID", "REFERENCE", "DEFINITION"]
    assert "A-1" in line
    assert "19.99 GBP" in line
    assert "a person: hold money: busy after 4 tries" in line


def test_list_without_any_says_so(toy: Script) -> None:
    assert sagas("list") == "None.\n"


def test_show_tells_the_story_the_steps_the_acts_and_the_events(toy: Script) -> None:
    toy.replies["hold_money"] = [Unavailable("busy"), Done({"hold_id": "h-7"})]
    toys.start()
    operate.pause([toys.saga().pk], actor="pia", reason="to look", now=database_now())
    toys.settle()
    operate.resume([toys.saga().pk], actor="pia", reason="looked", now=database_now())
    toys.settle()

    told, page = as_json("show", "A-1"), sagas("show", str(toys.saga().pk))

    assert told["story"] == ["open_case", "hold_money", "keep_goods", "take_money", "tell_shop"]
    assert [(a["act"], a["actor"], a["answer"]) for a in told["asked"]] == [
        ("pause", "pia", "stands still until it is resumed; what is in flight comes to its end first"),
        ("resume", "pia", "goes on"),
    ]
    assert [e["type"] for e in told["events"]] == ["sagas.OperatorActed"] * 2
    assert "A-1  toy: completed, 5/5 steps done" in page


def test_what_does_not_exist_is_said_so(toy: Script) -> None:
    for name in ("A-404", str(uuid7())):
        with pytest.raises(CommandError, match=f"No saga {name}"):
            sagas("show", name)


def test_a_reference_of_two_sagas_is_not_guessed(toy: Script) -> None:
    toys.start("A-1")
    toys.start("A-1", "sagas.pair")

    with pytest.raises(CommandError, match="ambiguous"):
        sagas("pause", "A-1", *WHO)

    assert Intent.objects.count() == 0


@pytest.mark.parametrize(
    ("arguments", "kind", "payload"),
    [
        (("retry", "A-1"), "retry", {}),
        (("resume", "A-1"), "resume", {}),
        (("turn-back", "A-1"), "turn_back", {}),
        (("pause", "A-1"), "pause", {}),
        (
            ("skip", "A-1", "--step", "sagas.hold_money", "--result", '{"hold_id": "x"}'),
            "skip",
            {"step": "sagas.hold_money", "result": {"hold_id": "x"}},
        ),
        (("resolve", "A-1", "--as", "compensated"), "resolve", {"as": "compensated"}),
    ],
)
def test_each_act_becomes_an_intent_with_actor_and_reason(
    toy: Script, arguments: tuple[str, ...], kind: str, payload: dict[str, Any]
) -> None:
    parked(toy)

    said = sagas(*arguments, *WHO, "--wait", "0")

    intent = Intent.objects.get()
    assert (intent.kind, intent.actor, intent.reason, intent.payload) == (
        kind,
        "olga",
        "the bank is back",
        payload,
    )
    assert said == "A-1: not taken up yet\n"


def test_an_act_waits_for_what_becomes_of_it(toy: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    parked(toy)
    monkeypatch.setattr("time.sleep", lambda _: toys.settle())

    said = sagas("retry", "A-1", *WHO)

    assert said == "A-1: tries again now, with fresh tries\n"
    assert toys.saga().state == "completed"


def test_a_refused_act_says_why_and_fails(toy: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    toys.start()
    toys.settle()
    monkeypatch.setattr("time.sleep", lambda _: toys.settle())
    out = io.StringIO()

    with pytest.raises(CommandError, match="Not all of it"):
        call_command("sagas", "pause", "A-1", *WHO, stdout=out)

    assert out.getvalue() == "A-1: refused: it has come to its end\n"


@pytest.mark.parametrize("verb", ["retry", "resume", "turn-back", "pause"])
def test_actor_and_reason_are_asked_for(toy: Script, verb: str) -> None:
    toys.start()

    with pytest.raises(CommandError, match="--actor"):
        sagas(verb, "A-1", "--reason", "x")
    with pytest.raises(CommandError, match="--reason"):
        sagas(verb, "A-1", "--actor", "olga")
    with pytest.raises(CommandError, match="reason_missing"):
        sagas(verb, "A-1", "--actor", "olga", "--reason", " ")

    assert Intent.objects.count() == 0


@pytest.mark.parametrize("result", ["[1]", "{broken"])
def test_a_result_that_is_no_object_is_refused(toy: Script, result: str) -> None:
    parked(toy)

    with pytest.raises(CommandError, match="--result"):
        sagas("skip", "A-1", "--step", "sagas.hold_money", "--result", result, *WHO)

    assert Intent.objects.count() == 0


def test_steps_and_providers_are_paused_and_resumed(toy: Script) -> None:
    sagas("pause-step", "sagas.hold_money", *WHO)
    sagas("pause-provider", "bank", *WHO)
    paused = set(Pause.objects.values_list("scope", "name", "actor"))

    sagas("resume-step", "sagas.hold_money", *WHO)
    sagas("resume-provider", "bank", *WHO)

    assert paused == {("step", "sagas.hold_money", "olga"), ("provider", "bank", "olga")}
    assert Pause.objects.count() == 0


def test_what_nobody_knows_is_not_paused(toy: Script) -> None:
    with pytest.raises(CommandError, match=r"step sagas\.nonsense"):
        sagas("pause-step", "sagas.nonsense", *WHO)

    assert Pause.objects.count() == 0


def test_parked_events_are_listed_and_dropped(toy: Script) -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    event = ParkedEvent.objects.create(
        subscription="sagas.r", stream=uuid7(), version=3, error="KeyError: 'x'", parked_at=at
    )

    listed = as_json("parked-events")
    said = sagas("drop", str(event.pk), *WHO)

    assert [(e["id"], e["version"], e["error"]) for e in listed] == [(event.pk, 3, "KeyError: 'x'")]
    assert said == "1 event dropped.\n"
    assert as_json("parked-events") == []
    with pytest.raises(CommandError, match="No parked event 0"):
        sagas("redeliver", "0", *WHO)


@pytest.fixture
def other_code(toy: Script) -> Iterator[None]:
    """The toy definition as another release might have it; put back afterwards."""
    yield
    unregister("sagas.toy")
    register(toys.TOY)


def test_definitions_are_fine_while_this_code_can_finish_what_is_in_flight(toy: Script) -> None:
    toys.start()

    told = as_json("definitions")

    assert {"name": "sagas.toy", "version": 1, "sagas": 1} in told["in_flight"]
    assert (told["problems"], told["stranded"]) == ([], [])


def test_a_version_this_code_has_not_strands_its_sagas(toy: Script, other_code: None) -> None:
    toys.start_many(["A-1", "A-2"])
    unregister("sagas.toy")
    out = io.StringIO()

    with pytest.raises(CommandError, match="could not finish"):
        call_command("sagas", "definitions", "--json", stdout=out)

    (lost,) = json.loads(out.getvalue())["stranded"]
    assert lost == {
        "definition": "sagas.toy",
        "version": 1,
        "problem": "this code has no such version",
        "count": 2,
        "example": "A-1",
    }


def test_a_step_moved_within_a_version_strands_the_sagas_that_stand_there(
    toy: Script, other_code: None
) -> None:
    toys.start()
    toys.run("open_case")
    unregister("sagas.toy")
    toys.start("A-2", "sagas.pair")
    SagaDefinition(
        "sagas.toy", version=1, steps=[compensatable("sagas.keep_goods"), retriable("sagas.tell_shop")],
        context=("hold_id",),
    )  # fmt: skip
    SagaStep.objects.filter(saga=Saga.objects.get(definition="sagas.pair")).update(name="sagas.of_old")
    Saga.objects.filter(definition="sagas.toy").update(state="running", finished_at=None)
    out = io.StringIO()

    with pytest.raises(CommandError):
        call_command("sagas", "definitions", "--json", stdout=out)

    problems = {one["problem"] for one in json.loads(out.getvalue())["stranded"]}
    assert "sagas.open_case stands where this code has sagas.keep_goods" in problems
    assert "sagas.of_old stands where this code has sagas.open_case" in problems


def test_the_exit_code_tells_a_shell(manage: Manage, toy: Script) -> None:
    toys.start()

    fine, missing = manage("sagas", "list", "--json"), manage("sagas", "show", "A-404")
    stranded = manage("sagas", "definitions")

    assert (fine.returncode, json.loads(fine.stdout)[0]["reference"]) == (0, "A-1")
    assert (missing.returncode, missing.stderr.strip()) == (1, "CommandError: No saga A-404.")
    assert stranded.returncode == 1
    assert "this code has no such version" in stranded.stdout
