"""What was agreed with the provider: a share of the amount and a fixed part, by currency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sagas.money import decimals

#: Providers round by rules of their own: this much in minor units is no difference.
TOLERANCE = 1
AGREED = re.compile(r"([A-Z]{3})=(\d{1,2}(?:\.\d{1,4})?)%(?:\+(\d{1,6}(?:\.\d{1,4})?))?")


class BadFees(ValueError):
    """The setting cannot be read."""


@dataclass(frozen=True)
class Fee:
    """A percentage of the gross amount, and a fixed part in minor units."""

    percent: Decimal
    fixed_minor: int

    def of(self, gross_minor: int) -> int:
        """What the provider keeps of a capture, to the nearest minor unit."""
        share = (self.percent * gross_minor / 100).quantize(Decimal(1), ROUND_HALF_UP)
        return int(share) + self.fixed_minor

    def allows(self, gross_minor: int, fee_minor: int) -> bool:
        """Whether a fee is what was agreed, give or take the tolerance."""
        return abs(self.of(gross_minor) - fee_minor) <= TOLERANCE


def read_fees(text: str) -> dict[str, Fee]:
    """`GBP=1.4%+0.20 JPY=3.6%` by currency. Raises BadFees, naming the part that cannot be read."""
    return dict(_read(part) for part in text.replace(",", " ").split())


def _read(part: str) -> tuple[str, Fee]:
    found = AGREED.fullmatch(part)
    if found is None:
        raise BadFees(f"{part!r} is no fee: write GBP=1.4%+0.20")
    currency, percent, fixed = found.groups()
    minor = Decimal(fixed or 0).scaleb(decimals(currency))
    if minor != int(minor):
        raise BadFees(f"{part!r}: {currency} has {decimals(currency)} decimals")
    return currency, Fee(Decimal(percent), int(minor))
