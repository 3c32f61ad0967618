"""Events keep their meaning: names are taken once, stored forms of every version are read."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import Any
from uuid import UUID

import pytest

from sagas import events
from sagas.events import Event, load, register_event, upcaster
from sagas.ids import uuid7
from tests.sagas.facts import NOW, Counted


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(events, "_classes", dict(events._classes))
    monkeypatch.setattr(events, "_upcasters", dict(events._upcasters))


def test_an_event_survives_its_stored_form() -> None:
    event = Counted(number=3, who=uuid7(), when=NOW)

    assert load(Counted.type, 1, event.to_data()) == event


def test_a_field_this_code_does_not_know_is_passed_over() -> None:
    assert load(Counted.type, 1, {"number": 3, "colour": "red"}) == Counted(number=3)


def test_old_versions_are_brought_up_step_by_step() -> None:
    @register_event("tests.Renamed", version=3)
    @dataclass(frozen=True, kw_only=True)
    class Renamed(Event):
        amount_minor: int
        currency: str

    @upcaster("tests.Renamed", from_version=1)
    def to_minor(data: dict[str, Any]) -> dict[str, Any]:
        return {"amount_minor": data["euros"] * 100}

    @upcaster("tests.Renamed", from_version=2)
    def with_currency(data: dict[str, Any]) -> dict[str, Any]:
        return data | {"currency": "EUR"}

    now = Renamed(amount_minor=500, currency="EUR")
    assert load("tests.Renamed", 1, {"euros": 5}) == now
    assert load("tests.Renamed", 2, {"amount_minor": 500}) == now
    assert load("tests.Renamed", 3, now.to_data()) == now


def test_a_version_without_a_way_up_is_an_error_and_never_guessed() -> None:
    @register_event("tests.Gap", version=2)
    @dataclass(frozen=True, kw_only=True)
    class Gap(Event):
        number: int

    with pytest.raises(KeyError):
        load(Gap.type, 1, {"number": 1})


def test_a_name_is_taken_once() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Impostor(Event):
        number: int

    with pytest.raises(ValueError, match=r"tests\.Counted is taken by Counted"):
        register_event("tests.Counted")(Impostor)


def test_what_is_missing_takes_its_default_and_what_must_be_there_is_an_error() -> None:
    assert load(Counted.type, 1, {"number": 3, "who": None}) == Counted(number=3)
    with pytest.raises(TypeError, match="number"):
        load(Counted.type, 1, {"who": None})


def test_an_id_that_must_be_there_may_not_be_null() -> None:
    @register_event("tests.Owned")
    @dataclass(frozen=True, kw_only=True)
    class Owned(Event):
        owner: UUID

    with pytest.raises(TypeError):
        load(Owned.type, 1, {"owner": None})
    with pytest.raises(ValueError, match="badly formed"):
        load(Owned.type, 1, {"owner": "nobody"})


def test_a_class_that_checks_itself_checks_what_is_stored_too() -> None:
    @register_event("tests.Positive")
    @dataclass(frozen=True, kw_only=True)
    class Positive(Event):
        number: int

        def __post_init__(self) -> None:
            if self.number < 1:
                raise ValueError("too small")

    with pytest.raises(ValueError, match="too small"):
        load(Positive.type, 1, {"number": 0})


def test_an_event_that_was_read_is_as_frozen_as_one_that_was_made() -> None:
    event = load(Counted.type, 1, {"number": 3, "who": None, "when": None})

    with pytest.raises(FrozenInstanceError):
        event.number = 4  # type: ignore[attr-defined]
    assert hash(event) == hash(Counted(number=3))


def test_the_caller_of_from_data_keeps_its_own() -> None:
    data = {"number": 3, "who": str(uuid7()), "when": None}

    before = dict(data)
    Counted.from_data(data)

    assert data == before
