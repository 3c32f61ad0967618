"""Typed readers of the environment. A bad value stops the start and names its variable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import overload

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


class BadEnvironment(Exception):
    """A variable is missing or holds what cannot be read. The message names it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name


@overload
def text(name: str) -> str: ...
@overload
def text(name: str, default: str) -> str: ...
def text(name: str, default: str | None = None) -> str:
    """The variable's text, stripped. Without a default it must be set; an empty value counts as unset."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise BadEnvironment(name, "must be set")
    return default


def integer(name: str, default: int, *, least: int = 0) -> int:
    """A whole number, not below `least`."""
    value = text(name, str(default))
    try:
        number = int(value)
    except ValueError:
        raise BadEnvironment(name, f"must be a whole number, not {value!r}") from None
    if number < least:
        raise BadEnvironment(name, f"must be at least {least}, not {number}")
    return number


def seconds(name: str, default: float) -> float:
    """A length of time in seconds, above zero."""
    value = text(name, str(default))
    try:
        number = float(value)
    except ValueError:
        raise BadEnvironment(name, f"must be a number of seconds, not {value!r}") from None
    if not 0 < number < float("inf"):
        raise BadEnvironment(name, f"must be above zero, not {value!r}")
    return number


def flag(name: str, *, default: bool) -> bool:
    """Yes or no: 1/0, true/false, yes/no, on/off."""
    value = text(name, "1" if default else "0").lower()
    if value not in TRUE | FALSE:
        raise BadEnvironment(name, f"must be one of {', '.join(sorted(TRUE | FALSE))}, not {value!r}")
    return value in TRUE


def names(name: str, default: Sequence[str] = ()) -> list[str]:
    """A list separated by commas; blanks are dropped."""
    return [part.strip() for part in text(name, ",".join(default)).split(",") if part.strip()]


def numbers(name: str) -> dict[str, int]:
    """Whole numbers above zero by name: `gateway=16, carrier=8`."""
    found = {}
    for part in names(name):
        key, _, value = part.partition("=")
        if not key.strip() or not value.strip().isdecimal() or int(value) < 1:
            raise BadEnvironment(name, f"must be like gateway=16,carrier=8, not {part!r}")
        found[key.strip()] = int(value)
    return found


def amounts(name: str) -> dict[str, int]:
    """Amounts in minor units by currency, separated by spaces or commas: `GBP=50000 JPY=0`."""
    found = {}
    for part in text(name, "").replace(",", " ").split():
        currency, _, value = part.partition("=")
        known = len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()
        if not known or not (value.isascii() and value.isdecimal()) or currency in found:
            raise BadEnvironment(name, f"must be like GBP=50000 EUR=50000, each currency once, not {part!r}")
        found[currency] = int(value)
    return found


def secrets(name: str, default: str = "") -> tuple[str, ...]:
    """Secrets separated by spaces or commas, the newest first; none when it is not set. Never shown in an error."""
    return tuple(text(name, default).replace(",", " ").split())


def choice(name: str, default: str, *, among: Sequence[str]) -> str:
    """One of the allowed words."""
    value = text(name, default)
    if value not in among:
        raise BadEnvironment(name, f"must be one of {', '.join(among)}, not {value!r}")
    return value
