"""The environment is read by type, and a bad value names its variable."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config import env
from config.env import BadEnvironment


@pytest.mark.parametrize(
    ("read", "value", "complaint"),
    [
        (lambda: env.integer("WAYBILL_X", 1), "many", "WAYBILL_X must be a whole number, not 'many'"),
        (lambda: env.integer("WAYBILL_X", 1, least=1), "0", "WAYBILL_X must be at least 1, not 0"),
        (lambda: env.seconds("WAYBILL_X", 1), "soon", "WAYBILL_X must be a number of seconds, not 'soon'"),
        (lambda: env.seconds("WAYBILL_X", 1), "inf", "WAYBILL_X must be above zero, not 'inf'"),
        (lambda: env.seconds("WAYBILL_X", 1), "nan", "WAYBILL_X must be above zero, not 'nan'"),
        (
            lambda: env.flag("WAYBILL_X", default=True),
            "maybe",
            "WAYBILL_X must be one of 0, 1, false, no, off, on, true, yes, not 'maybe'",
        ),
        (
            lambda: env.choice("WAYBILL_X", "a", among=("a", "b")),
            "c",
            "WAYBILL_X must be one of a, b, not 'c'",
        ),
        (lambda: env.text("WAYBILL_X"), "  ", "WAYBILL_X must be set"),
    ],
)
def test_a_bad_value_stops_the_start_and_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[], object], value: str, complaint: str
) -> None:
    monkeypatch.setenv("WAYBILL_X", value)

    with pytest.raises(BadEnvironment) as caught:
        read()

    assert str(caught.value) == complaint
    assert caught.value.name == "WAYBILL_X"


@pytest.mark.parametrize("value", [None, "", "   "])
def test_an_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("WAYBILL_X", raising=False)
    if value is not None:
        monkeypatch.setenv("WAYBILL_X", value)

    assert env.text("WAYBILL_X", "here") == "here"
    assert env.integer("WAYBILL_X", 7) == 7
    assert env.flag("WAYBILL_X", default=True) is True
    assert env.names("WAYBILL_X", ["a"]) == ["a"]


def test_good_values_come_back_in_their_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYBILL_NUMBER", " 42 ")
    monkeypatch.setenv("WAYBILL_TIME", "0.5")
    monkeypatch.setenv("WAYBILL_FLAG", "Off")
    monkeypatch.setenv("WAYBILL_LIST", "a, b,,c ")

    assert env.integer("WAYBILL_NUMBER", 1) == 42
    assert env.seconds("WAYBILL_TIME", 1) == 0.5
    assert env.flag("WAYBILL_FLAG", default=True) is False
    assert env.names("WAYBILL_LIST") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ("", ()),
        ("one", ("one",)),
        ("new, old", ("new", "old")),
        ("new old", ("new", "old")),
        (" new ,,old ", ("new", "old")),
    ],
)
def test_secrets_are_listed_with_spaces_or_commas_the_newest_first(
    monkeypatch: pytest.MonkeyPatch, value: str, secrets: tuple[str, ...]
) -> None:
    monkeypatch.setenv("WAYBILL_X", value)

    assert env.secrets("WAYBILL_X") == secrets


def test_amounts_are_read_by_currency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMITS", "GBP=50000, EUR=0 JPY=80000")

    assert env.amounts("LIMITS") == {"GBP": 50_000, "EUR": 0, "JPY": 80_000}


@pytest.mark.parametrize("value", ["GBP", "gbp=1", "GBP=-1", "GBP=1.5", "GBP=1 GBP=2", "POUND=1", "=1"])
def test_amounts_that_make_no_sense_stop_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LIMITS", value)

    with pytest.raises(env.BadEnvironment, match="LIMITS"):
        env.amounts("LIMITS")
