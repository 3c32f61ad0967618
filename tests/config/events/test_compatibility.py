"""What may change about a published event. Each rule is broken once, and seen to be."""

from __future__ import annotations

from typing import Any

import pytest

from config.events.compatibility import broken, unreadable, withdrawn

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
LINE = {"type": "object", "properties": {"sku": TEXT, "quantity": NUMBER}, "required": ["sku", "quantity"]}


def schema(required: tuple[str, ...] = ("code", "lines"), **changes: Any) -> dict[str, Any]:
    """An event with a text, a list and an optional number; None takes a field away."""
    fields = {"code": TEXT, "lines": {"type": "array", "items": LINE}, "amount": NUMBER} | changes
    kept = {name: kind for name, kind in fields.items() if kind is not None}
    return {"type": "object", "properties": kept, "required": list(required)}


def test_what_has_not_changed_breaks_nothing() -> None:
    assert broken(schema(), schema()) == []


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (schema(amount=None), "amount was removed"),
        (schema(("lines",), code=None), "code was removed"),
        (
            schema(amount={"type": "number"}),
            "amount was {'type': 'integer'} and is {'type': 'number'}",
        ),
        (
            schema(code={"type": ["string", "null"]}),
            "code was {'type': 'string'} and is {'type': ['string', 'null']}",
        ),
        (
            schema(code=TEXT | {"format": "uuid"}),
            "code was {'type': 'string'} and is {'type': 'string', 'format': 'uuid'}",
        ),
        (schema(("code", "lines", "why"), why=TEXT), "why was added as required"),
        (schema(("code", "lines", "amount")), "amount became required"),
        (schema(("code",)), "lines became optional"),
        (
            schema(
                lines={"type": "array", "items": LINE | {"properties": {"quantity": NUMBER}, "required": []}}
            ),
            "lines[].sku was removed",
        ),
        (
            schema(lines={"type": "array", "items": LINE | {"required": ["sku"]}}),
            "lines[].quantity became optional",
        ),
        (schema(lines=LINE), "lines was"),
    ],
)
def test_what_a_reader_relies_on_may_not_change_within_a_version(after: dict[str, Any], told: str) -> None:
    assert [what for what in broken(schema(), after) if what.startswith(told)] != []


def test_a_version_may_gain_an_optional_field_and_better_words() -> None:
    after = schema(why=TEXT) | {"description": "Said better.", "title": "Another", "examples": [{}]}

    assert broken(schema() | {"description": "Said badly."}, after) == []


def test_a_changed_golden_file_is_a_broken_promise() -> None:
    before, after = (schema() | {"x-golden-sha256": digest} for digest in ("aa", "bb"))

    assert broken(before, before) == []
    assert broken(before, after) == ["its golden file was changed"]
    assert broken(before, schema()) == ["its golden file was changed"]


@pytest.mark.parametrize(
    ("schemas", "golden", "upcasters", "told"),
    [
        ((1, 2), (1, 2, 3), (1, 2), []),
        ((1, 2, 3), (1, 2, 3), (1, 2), []),
        ((1, 2), (1, 2), (1, 2), ["x.Fact has no golden file of version 3: manage.py golden_event x.Fact"]),
        ((1, 2), (2, 3), (1, 2), ["x.Fact has no golden file of version 1: manage.py golden_event x.Fact"]),
        ((1, 2), (1, 2, 3), (2,), ["x.Fact has no upcaster from version 1"]),
        ((1, 2), (1, 2, 3), (1,), ["x.Fact has no upcaster from version 2"]),
        ((2,), (1, 2, 3), (1, 2), ["x.Fact has lost the schema of version 1"]),
        ((1, 2, 4), (1, 2, 3), (1, 2), ["x.Fact is at version 3, but version 4 was published"]),
        ((1, 2), (1, 2, 3, 4), (1, 2), ["x.Fact is at version 3, but version 4 was published"]),
    ],
)
def test_every_version_up_to_the_present_one_must_be_readable_and_proven(
    schemas: tuple[int, ...], golden: tuple[int, ...], upcasters: tuple[int, ...], told: list[str]
) -> None:
    assert unreadable("x.Fact", 3, schemas=schemas, golden=golden, upcasters=upcasters) == told


def test_an_event_that_was_published_may_not_be_forgotten() -> None:
    assert withdrawn(["x.Gone", "x.Kept"], ["x.Kept", "x.New"]) == [
        "x.Gone was published, and no code reads it any more"
    ]
