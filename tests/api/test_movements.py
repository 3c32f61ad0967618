"""Stock movements over the API: a line, an answer; a key, one movement."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inventory.api import lines
from inventory.models import Movement
from tests.api.counter import MOVEMENTS, STOCK, Counter, problem

pytestmark = pytest.mark.django_db


def receipt(key: str = "K", **changes: Any) -> dict[str, Any]:
    return {"key": key, "sku": "MUG", "kind": "receipt", "quantity": 5} | changes


def on_hand(counter: Counter) -> dict[str, int]:
    return {item["sku"]: item["on_hand"] for item in counter.get(STOCK).json()["items"]}


def test_each_line_is_answered_in_order(counter: Counter) -> None:
    answers = counter.move(receipt("K1"), receipt("K2", sku="TEA", quantity=7), receipt("K3", quantity=1))

    assert answers == [
        {"line": 1, "key": "K1", "status": "recorded", "quantity": 5, "on_hand": 5},
        {"line": 2, "key": "K2", "status": "recorded", "quantity": 7, "on_hand": 7},
        {"line": 3, "key": "K3", "status": "recorded", "quantity": 1, "on_hand": 6},
    ]
    assert on_hand(counter) == {"MUG": 6, "TEA": 7}


def test_a_repeat_of_the_whole_request_moves_nothing_again(counter: Counter) -> None:
    first = counter.move(receipt("K1"), receipt("K2", sku="TEA"))

    second = counter.move(receipt("K1"), receipt("K2", sku="TEA"))

    assert first == second
    assert on_hand(counter) == {"MUG": 5, "TEA": 5}
    assert Movement.objects.count() == 2


def test_a_key_twice_in_one_request_moves_once(counter: Counter) -> None:
    answers = counter.move(receipt("K"), receipt("K"))

    assert [answer["status"] for answer in answers] == ["recorded", "recorded"]
    assert on_hand(counter) == {"MUG": 5}


def test_a_key_used_for_another_movement_is_refused(counter: Counter) -> None:
    counter.move(receipt("K"))

    (answer,) = counter.move(receipt("K", quantity=6))

    assert (answer["status"], answer["code"]) == ("refused", "inventory.key_reused")
    assert on_hand(counter) == {"MUG": 5}


def test_the_same_key_of_another_shop_is_another_movement(counter: Counter, other: Counter) -> None:
    counter.move(receipt("K"))
    other.move(receipt("K", quantity=2))

    assert on_hand(counter) == {"MUG": 5}
    assert on_hand(other) == {"MUG": 2}


def test_a_bad_line_stops_no_other(counter: Counter) -> None:
    answers = counter.move(
        receipt("K1"),
        b"{not json",
        b"\xff\xfe",
        b"[]",
        receipt("K2", colour="red"),
        receipt("K3", quantity="5"),
        receipt("K4", kind="shipment"),
        receipt("K5", sku="NUL\u0000"),
        receipt("K6", quantity=-1),
        receipt("K7", location="mars"),
        receipt("K8", kind="adjustment", quantity=-6),
        b'{"key": "K9", "sku": "\\ud800", "kind": "receipt", "quantity": 1}',
        receipt("K10", sku="TEA"),
    )

    assert [(a["line"], a["status"], a.get("code")) for a in answers] == [
        (1, "recorded", None),
        (2, "invalid", "api.malformed_json"),
        (3, "invalid", "api.malformed_json"),
        (4, "invalid", "api.invalid"),
        (5, "invalid", "api.invalid"),
        (6, "invalid", "api.invalid"),
        (7, "invalid", "api.invalid"),
        (8, "invalid", "api.invalid"),
        (9, "refused", "inventory.bad_quantity"),
        (10, "refused", "inventory.unknown_location"),
        (11, "refused", "inventory.below_promised"),
        (12, "invalid", "api.malformed_json"),
        (13, "recorded", None),
    ]
    assert on_hand(counter) == {"MUG": 5, "TEA": 5}
    assert "colour" in answers[4]["detail"]


def test_a_count_sets_what_is_there(counter: Counter) -> None:
    counter.move(receipt("K1"))

    (answer,) = counter.move(receipt("K2", kind="count", quantity=3))

    assert (answer["quantity"], answer["on_hand"]) == (-2, 3)


def test_many_lines_are_recorded_in_several_commits(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "CHUNK", 3)

    answers = counter.move(*(receipt(f"K{n}") for n in range(8)))

    assert [answer["on_hand"] for answer in answers] == [5, 10, 15, 20, 25, 30, 35, 40]


def test_too_many_lines_are_refused_before_any_is_recorded(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MOST_LINES", 2)

    response = counter.move_raw(b"\n".join(json.dumps(receipt(f"K{n}")).encode() for n in range(3)))

    assert problem(response) == (413, "api.body_too_large")
    assert Movement.objects.count() == 0


def test_an_empty_request_has_an_empty_answer(counter: Counter) -> None:
    response = counter.move_raw(b"\n \n")

    assert (response.status_code, response.content) == (200, b"")


def test_other_media_types_are_refused(counter: Counter) -> None:
    assert problem(counter.post(MOVEMENTS, receipt())) == (415, "api.media_type_unsupported")
