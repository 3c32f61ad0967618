"""Circuits in people's hands: held open or closed with a reason; told by the command, the page and the gauges."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from sagas import circuits, gauges, operate
from sagas.clock import database_now
from sagas.keeping.circuits import force_circuits
from sagas.management.telling import lines
from sagas.models import Saga, StoredEvent
from sagas.resilience.circuit import Position
from sagas.resilience.shared import LocalStore
from sagas.verdicts import Refused
from tests.sagas import people
from tests.sagas.bank import DOWN, Time, break_down, calls, hold_money
from tests.sagas.toys import Script, run, saga, settle, start, start_many


def test_a_person_holds_a_circuit_open_and_lets_it_go(time: Time, toy: Script) -> None:
    now = database_now()
    operate.force_circuit("bank", "hold_money", "open", actor="ada", reason="maintenance", now=now)
    start()
    run("open_case")
    before = calls(toy)

    operate.unforce_circuit("bank", "hold_money", actor="ada", reason="done", now=now)
    time.forward(30)
    settle()

    assert (before, calls(toy)) == (0, 1)
    assert saga().state == Saga.State.COMPLETED
    acts = StoredEvent.objects.filter(type="sagas.OperatorActed").order_by("version")
    assert [(e.data["act"], e.data["target"]) for e in acts] == [
        ("force_open", "bank:hold_money"), ("unforce_circuit", "bank:hold_money"),
    ]  # fmt: skip


def test_held_closed_it_calls_whatever_fails(time: Time, toy: Script) -> None:
    operate.force_circuit("bank", "hold_money", "closed", actor="ada", reason="trial", now=database_now())
    toy.always["hold_money"] = DOWN
    start_many([f"A-{n}" for n in range(30)])
    run("open_case")

    assert calls(toy) == 30
    assert hold_money().state().position is Position.CLOSED


def test_what_people_hold_is_set_again_when_what_is_shared_was_lost(
    time: Time, toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    operate.force_circuit("bank", "hold_money", "open", actor="ada", reason="maintenance", now=database_now())
    lost = circuits.Circuits(LocalStore(time))
    monkeypatch.setattr(circuits, "_circuits", lambda _pid: lost)
    assert hold_money().state().position is Position.CLOSED

    assert force_circuits(now=database_now()) == 1
    assert hold_money().state().position is Position.OPEN
    assert force_circuits(now=database_now()) == 0


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (("bank", "no_such_thing", "open"), "sagas.no_such_circuit"),
        (("bank", "hold_money", "ajar"), "sagas.no_such_position"),
    ],
)
def test_what_is_no_circuit_cannot_be_held(time: Time, act: Any, code: str) -> None:
    with pytest.raises(Refused) as refused:
        operate.force_circuit(*act, actor="ada", reason="x", now=database_now())

    assert refused.value.code == code


def test_holding_needs_a_reason(time: Time) -> None:
    with pytest.raises(operate.ReasonMissing):
        operate.force_circuit("bank", "hold_money", "open", actor="ada", reason=" ", now=database_now())


def test_the_command_tells_and_acts(time: Time, toy: Script, capsys: pytest.CaptureFixture[str]) -> None:
    break_down(toy)
    call_command("circuits", "list")
    listed = capsys.readouterr().out
    call_command("circuits", "force-closed", "bank:hold_money", "--actor", "ada", "--reason", "trial")

    assert next(line for line in listed.splitlines() if "bank:hold_money" in line).split()[1] == "open"
    assert hold_money().state().forced is not None
    with pytest.raises(CommandError, match="nobody:nothing"):
        call_command("circuits", "unforce", "nobody:nothing", "--actor", "ada", "--reason", "x")


def circuit_page(client: Client) -> str:
    found = client.get("/admin/sagas/saga/circuits/").content.decode()
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", found, flags=re.DOTALL)
    return re.sub(r"\s+", " ", bare)


def test_the_page_tells_where_circuits_stand_and_takes_acts_with_a_reason(time: Time, toy: Script) -> None:
    client = people.operator()
    break_down(toy)
    failed = circuit_page(client)
    client.post(reverse("admin:sagas_circuit", args=["closed", "bank", "hold_money"]), {"reason": "trial"})
    held = circuit_page(client)
    client.post(reverse("admin:sagas_circuit", args=["unforce", "bank", "hold_money"]), {"reason": "over"})

    assert re.search(r"bank hold money open since .*?; probes from .*? 3 3 1 ", failed)
    assert re.search(r"bank hold money closed held by olga, .*?: trial", held)
    assert hold_money().state().forced is None


def test_the_page_does_nothing_without_a_reason_and_nothing_for_onlookers(time: Time, toy: Script) -> None:
    address = reverse("admin:sagas_circuit", args=["open", "bank", "hold_money"])
    people.operator().post(address, {"reason": ""})
    onlooker = people.onlooker()

    assert onlooker.post(address, {"reason": "x"}).status_code == 403
    assert "Force open" not in circuit_page(onlooker)
    assert people.customer().get("/admin/sagas/saga/circuits/").status_code == 302
    assert hold_money().state().forced is None


def test_a_page_says_that_a_saga_waits_for_a_circuit(time: Time, toy: Script) -> None:
    break_down(toy)
    start("B-1")
    run("open_case")

    assert lines([saga("B-1")])[0]["waits_for"] == "hold money: the circuit of bank to close"


def test_gauges_tell_where_circuits_stand(time: Time, toy: Script) -> None:
    break_down(toy)

    samples = {(s.name, *s.labels.values()): s.value for m in gauges.read() for s in m.samples}
    assert samples["waybill_circuit_position", "bank", "hold_money", "open"] == 1
    assert samples["waybill_circuit_position", "bank", "hold_money", "closed"] == 0
    assert samples["waybill_circuit_forced", "bank", "hold_money"] == 0
