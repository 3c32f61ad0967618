"""An event through its versions: golden files, schemas and upcasters together, on an event of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import pytest

from config.events import golden
from config.events.catalogue import Catalogue
from config.events.schemas import Unspeakable, fields_of, of_type, schema_of
from sagas import events
from sagas.events import E, Event, register_event, upcaster

NAME = "toys.Sold"
WHO = "019b8d2f-0000-7b22-9c4d-5e6f70819202"


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(events, "_classes", dict(events._classes))
    monkeypatch.setattr(events, "_upcasters", dict(events._upcasters))


@dataclass
class House:
    """A repository of one event, in folders of its own."""

    root: Path

    def catalogue(self, cls: type[Event]) -> Catalogue:
        return Catalogue(self.root / "docs", self.root / "golden", {cls.type: cls})

    def release(self, cls: type[Event], **values: Any) -> None:
        """Write golden file and catalogue, as a developer does."""
        golden.write(cls, values, self.root / "golden")
        assert self.catalogue(cls).breaches() == []
        self.catalogue(cls).write()

    def file(self, version: int) -> Path:
        return golden.file_of(NAME, version, self.root / "golden")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """The event at version 1, released."""
    house = House(tmp_path)
    house.release(first(), who=WHO, euros=5)
    return house


def deployed(version: int) -> Callable[[E], E]:
    """Code of another day: it has the same event at another version."""
    events._classes.pop(NAME, None)
    return register_event(NAME, version=version)


def first() -> type[Event]:
    @deployed(1)
    @dataclass(frozen=True, kw_only=True)
    class Sold(Event):
        """Something was sold."""

        who: UUID
        euros: int

    return Sold


def second() -> type[Event]:
    """Euros become minor units under another name."""

    @deployed(2)
    @dataclass(frozen=True, kw_only=True)
    class Sold(Event):
        """Something was sold."""

        who: UUID
        amount_minor: int

    return Sold


def to_second(data: dict[str, Any]) -> dict[str, Any]:
    return {"who": data["who"], "amount_minor": data["euros"] * 100}


def third() -> type[Event]:
    """It gains a field with a default."""

    @deployed(3)
    @dataclass(frozen=True, kw_only=True)
    class Sold(Event):
        """Something was sold."""

        who: UUID
        amount_minor: int
        style: str = "plain"

    return Sold


def to_third(data: dict[str, Any]) -> dict[str, Any]:
    return data | {"style": "plain"}


def test_a_new_version_needs_an_upcaster_and_one_more_golden_file(house: House) -> None:
    cls = second()
    upcaster(NAME, from_version=1)(to_second)
    before = house.file(1).read_bytes()

    missing = house.catalogue(cls).breaches()
    house.release(cls)

    assert missing == [f"{NAME} has no golden file of version 2: manage.py golden_event {NAME}"]
    assert house.file(1).read_bytes() == before
    assert json.loads(house.file(2).read_text()) == {
        "event": NAME,
        "version": 2,
        "data": {"who": WHO, "amount_minor": 500},
        "becomes": {"1": {"who": WHO, "amount_minor": 500}, "2": {"who": WHO, "amount_minor": 500}},
    }
    assert house.catalogue(cls).drift() == ""


def test_two_upcasters_in_a_chain_bring_the_first_version_to_the_third(house: House) -> None:
    upcaster(NAME, from_version=1)(to_second)
    upcaster(NAME, from_version=2)(to_third)
    house.release(second(), amount_minor=700)
    cls = third()

    house.release(cls, style="fancy")

    assert json.loads(house.file(3).read_text())["becomes"] == {
        "1": {"who": WHO, "amount_minor": 500, "style": "plain"},
        "2": {"who": WHO, "amount_minor": 700, "style": "plain"},
        "3": {"who": WHO, "amount_minor": 700, "style": "fancy"},
    }
    assert sorted(file.name for file in (house.root / "docs").glob("*.json")) == [
        f"{NAME}.v1.json", f"{NAME}.v2.json", f"{NAME}.v3.json",
    ]  # fmt: skip


def test_a_missing_upcaster_is_told(house: House) -> None:
    cls = second()

    told = house.catalogue(cls).breaches()

    assert f"{NAME} has no upcaster from version 1" in told
    with pytest.raises(KeyError):
        golden.write(cls, {}, house.root / "golden")
    assert not house.file(2).exists()


def test_an_upcaster_that_comes_to_mean_something_else_is_told(house: House) -> None:
    cls = second()
    upcaster(NAME, from_version=1)(to_second)
    house.release(cls)

    upcaster(NAME, from_version=1)(lambda data: {"who": data["who"], "amount_minor": data["euros"]})

    assert house.catalogue(cls).breaches() == [f"{NAME} version 1 is read with another amount_minor"]


def test_an_upcaster_that_leaves_a_field_out_is_told(house: House) -> None:
    cls = second()
    upcaster(NAME, from_version=1)(to_second)
    house.release(cls)

    upcaster(NAME, from_version=1)(lambda data: {"who": data["who"]})

    (told,) = house.catalogue(cls).breaches()
    assert told.startswith(f"{NAME} version 1 cannot be read: TypeError")
    assert "amount_minor" in told


def test_a_field_renamed_within_a_version_is_told(house: House) -> None:
    @deployed(1)
    @dataclass(frozen=True, kw_only=True)
    class Sold(Event):
        """Something was sold."""

        who: UUID
        whole_euros: int

    told = house.catalogue(Sold).breaches()

    assert f"{NAME} version 1: euros was removed" in told
    assert f"{NAME} version 1: whole_euros was added as required" in told


def test_a_field_that_is_read_no_more_is_told(house: House) -> None:
    @deployed(1)
    @dataclass(frozen=True, kw_only=True)
    class Sold(Event):
        """Something was sold."""

        who: UUID

    told = golden.misread(Sold, house.root / "golden")

    assert told == [f"{NAME} version 1 is read with another euros"]


def test_a_field_with_a_default_may_join_a_version(house: House) -> None:
    @deployed(1)
    @dataclass(frozen=True, kw_only=True)
    class Sold(Event):
        """Something was sold."""

        who: UUID
        euros: int
        gift: bool = False

    catalogue = house.catalogue(Sold)

    assert catalogue.breaches() == []
    assert '+    "gift": {' in catalogue.drift()


def test_a_golden_file_is_never_overwritten(house: House) -> None:
    before = house.file(1).read_bytes()

    with pytest.raises(golden.AlreadyThere, match=r"Sold\.v1\.json is there, and frozen"):
        golden.write(first(), {"who": WHO, "euros": 6}, house.root / "golden")

    assert house.file(1).read_bytes() == before


@pytest.mark.parametrize("present", [1, 2])
def test_a_golden_file_that_was_changed_is_told_in_every_version(house: House, present: int) -> None:
    upcaster(NAME, from_version=1)(to_second)
    cls = first()
    if present == 2:
        cls = second()
        house.release(cls)

    house.file(1).write_text(house.file(1).read_text().replace("\n}", "\n} "))

    assert house.catalogue(cls).breaches() == [f"{NAME} version 1: its golden file was changed"]


def test_golden_data_that_do_not_conform_to_their_schema_are_told(house: House) -> None:
    house.file(1).write_text(house.file(1).read_text().replace('"euros": 5', '"euros": "5"'))

    told = house.catalogue(first()).breaches()

    assert (
        f"{NAME} version 1: its golden file does not conform: $.euros: '5' is not of type 'integer'" in told
    )


def test_a_version_that_goes_back_is_told(house: House) -> None:
    upcaster(NAME, from_version=1)(to_second)
    house.release(second())

    told = house.catalogue(first()).breaches()

    assert f"{NAME} is at version 1, but version 2 was published" in told


class Item(TypedDict):
    """A shape for the test."""

    sku: str
    place: UUID


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (bool, {"type": "boolean"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (UUID | None, {"type": ["string", "null"], "format": "uuid"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (dict[str, Any], {"type": "object"}),
        (tuple[dict[str, Any], ...], {"type": "array", "items": {"type": "object"}}),
        (
            list[Annotated[dict[str, Any], Item]],
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"sku": {"type": "string"}, "place": {"type": "string", "format": "uuid"}},
                    "required": ["sku", "place"],
                },
            },
        ),
    ],
)
def test_annotations_become_types_of_json_schema(hint: Any, schema: dict[str, Any]) -> None:
    assert of_type(hint) == schema


def test_a_type_without_a_place_in_a_schema_is_refused() -> None:
    with pytest.raises(Unspeakable, match="complex"):
        of_type(complex)


def test_a_field_with_a_default_is_optional() -> None:
    schema = schema_of(third())

    assert schema["required"] == ["who", "amount_minor"]
    assert fields_of(schema) == {"who": "uuid", "amount_minor": "integer", "style": "string, optional"}
