"""docs/state_machines.md says what the code does: every table of moves is drawn there, as it is."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from config import state_machines
from config.state_machines import MACHINES, PAGE, Machine, meanings


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the page, to be damaged."""
    copy = tmp_path / PAGE.name
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(state_machines, "PAGE", copy)
    return copy


def test_the_page_is_what_the_code_does() -> None:
    out = StringIO()

    call_command("state_machines", stdout=out)

    assert out.getvalue() == "state_machines.md is up to date.\n"


def test_a_move_that_only_the_page_has_is_noticed_and_mended(page: Path) -> None:
    page.write_text(page.read_text().replace("    held --> expired\n", "    held --> short\n"))

    with pytest.raises(CommandError, match="is not what the code does"):
        call_command("state_machines")
    call_command("state_machines", "--write", stdout=StringIO())

    assert page.read_text() == PAGE.read_text()


def test_a_machine_without_a_place_on_the_page_is_noticed(page: Path) -> None:
    page.write_text(page.read_text().replace("<!-- moves: Intent -->", ""))

    with pytest.raises(CommandError, match="leaves out Intent"):
        call_command("state_machines")


def test_every_model_with_a_table_of_moves_is_drawn() -> None:
    tables = {id(machine.moves) for machine in MACHINES}

    moving = {
        model.__name__: moves for model in apps.get_models() if (moves := getattr(model, "MOVES", None))
    }
    left_out = [name for name, moves in moving.items() if id(moves) not in tables]

    assert left_out == []


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_explained_and_can_be_reached(machine: Machine) -> None:
    reached = {*machine.begins, *(str(to) for targets in machine.moves.values() for to in targets)}

    assert reached == set(machine.states.values)
    assert [state for state, meaning in meanings(machine.states).items() if not meaning] == []
