"""Orders recorded on earlier days come out of a replay as they did then."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from config.events.catalogue import Catalogue, invalid
from orders.aggregate import Order
from tests.orders import golden_streams
from tests.orders.golden_streams import FOLDER, STORIES, recorded


def told(order: Order) -> dict[str, Any]:
    """An order in the words of a golden file."""
    found = order.snapshot() | {"lines": [asdict(line) for line in order.lines.values()]}
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if value is None or isinstance(value, list | int) else str(value)


def known(order: dict[str, Any], recorded_then: dict[str, Any]) -> dict[str, Any]:
    """An order cut down to the fields that a recording has."""
    lines = [
        {name: line.get(name) for name in then}
        for line, then in zip(order["lines"], recorded_then["lines"], strict=True)
    ]
    return {name: order.get(name) for name in recorded_then} | {"lines": lines}


def test_every_story_is_replayed() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.json")) == sorted(STORIES)


@pytest.mark.parametrize("story", STORIES)
def test_a_recorded_stream_gives_the_order_that_was_recorded(story: str) -> None:
    document = golden_streams.read(story)

    order = told(Order.from_events(recorded(document)))

    # A field that orders or their lines have gained since is not in the file.
    assert known(order, document["order"]) == document["order"]


@pytest.mark.parametrize("story", STORIES)
def test_the_order_stands_after_each_event_where_it_stood(story: str) -> None:
    document = golden_streams.read(story)
    events = recorded(document)

    found = [Order.from_events(events[:n]) for n in range(1, len(events) + 1)]

    stands = [
        [o.state, o.lock_kind, o.on_hold, o.needs_attention, o.cancelled_minor, o.returned_minor]
        for o in found
    ]
    assert stands == document["stands"]


@pytest.mark.parametrize("story", STORIES)
def test_what_was_recorded_conforms_to_the_schemas_of_its_day(story: str) -> None:
    schemas = Catalogue().schemas

    wrong = [
        error
        for item in golden_streams.read(story)["events"]
        for error in invalid(schemas[item["type"], item["schema_version"]], item["data"])
    ]

    assert wrong == []
