"""Where a parcel goes is told to the carrier and to nobody else: what it or its adapter quotes is not kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from sagas.verdicts import Verdict

T = TypeVar("T")

#: What is shorter tells nobody apart, and stands in every second word.
SHORTEST = 3
INSTEAD = "…"


class CarrierBroke(Exception):
    """The carrier's adapter raised something unforeseen. Its words, without the address."""


@contextmanager
def discreet(ship_to: Mapping[str, str]) -> Iterator[Callable[[T], T]]:
    """A function that takes the address out of a verdict's detail. What is raised inside loses it too."""

    def said(result: T) -> T:
        if isinstance(result, Verdict) and result.detail:
            return result.saying(without(ship_to, result.detail))
        return result

    try:
        yield said
    except Verdict as verdict:
        raise said(verdict) from None
    except Exception as error:  # noqa: BLE001 - an adapter may raise anything, and quote the address in it
        words = without(ship_to, f"{type(error).__name__}: {error}")
        raise CarrierBroke(words).with_traceback(error.__traceback__) from None


def without(ship_to: Mapping[str, str], text: str) -> str:
    """The text without the name, the parts of the address but its country, and their words, in whatever case."""
    values = [value for name, value in ship_to.items() if name != "country"]
    words = {word for value in values for word in re.findall(r"\w+", value)}
    said = sorted({part for part in {*values, *words} if len(part) >= SHORTEST}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, said)), INSTEAD, text, flags=re.IGNORECASE) if said else text
