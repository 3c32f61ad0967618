"""Exact decimals to minor units. Nothing here is ever a float."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from functools import lru_cache

CURRENCY = "GBP"
MINOR_PER_MAJOR = 100
LARGEST_MINOR = 10**14  #: A sum beyond this is a mistake of the file, not an order.


def rounded_minor(exact: Decimal) -> int:
    """Minor units, a half rounded away from zero."""
    return int((exact * MINOR_PER_MAJOR).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@lru_cache(maxsize=4096)
def floored_minor(exact: Decimal) -> int:
    """Minor units, fractions cut off towards zero."""
    return int((exact * MINOR_PER_MAJOR).quantize(Decimal(1), rounding=ROUND_DOWN))


def split_minor(parts: Sequence[Decimal]) -> list[int]:
    """Round each part so that the parts sum to the rounded sum. None is a whole minor unit off."""
    minor: list[int] = []
    exact, given = Decimal(0), 0
    for part in parts:
        exact += part
        minor.append(rounded_minor(exact) - given)
        given += minor[-1]
    return minor


def total(parts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return sum(parts, Decimal(0))
