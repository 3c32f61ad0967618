"""Pure arithmetic of an order: integers in minor units only, and no answer but an exact one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orders.contract import GOODS, VOUCHER
from sagas.verdicts import Refused

#: Decimals of the currencies that are accepted (ISO 4217). Amounts are counted in the smallest of them.
DECIMALS: dict[str, int] = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(
        (
            *(
                "AED",
                "ARS",
                "AUD",
                "BGN",
                "BRL",
                "CAD",
                "CHF",
                "CNY",
                "COP",
                "CZK",
                "DKK",
                "EGP",
                "EUR",
                "GBP",
            ),
            *(
                "HKD",
                "HUF",
                "IDR",
                "ILS",
                "INR",
                "MAD",
                "MXN",
                "MYR",
                "NGN",
                "NOK",
                "NZD",
                "PEN",
                "PHP",
                "PKR",
            ),
            *(
                "PLN",
                "QAR",
                "RON",
                "RSD",
                "SAR",
                "SEK",
                "SGD",
                "THB",
                "TRY",
                "TWD",
                "UAH",
                "USD",
                "UYU",
                "ZAR",
            ),
        ),
        2,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}

#: What is charged beside the lines. Those that may lower the total are named apart.
CHARGE_KINDS = frozenset({"shipping", "handling", "manual", "voucher", "discount", "fee"})
CREDIT_KINDS = frozenset({"manual", "voucher", "discount"})
LINE_KINDS = frozenset({GOODS, VOUCHER})

#: Bounds that keep every product and sum far inside a bigint and inside what JSON readers hold exactly.
MOST_LINES = 5_000
MOST_CHARGES = 100
MOST_PIECES = 1_000_000
MOST_MINOR = 10**12
MOST_TOTAL_MINOR = 10**15


class InvalidOrder(Refused):
    """The order as sent cannot be taken. HTTP 422; nothing was stored."""

    code = "orders.invalid"


class TotalMismatch(InvalidOrder):
    """The total the shop states is not the sum of what it sent."""

    code = "orders.total_mismatch"


class AmountInvalid(InvalidOrder):
    """An amount or a quantity is not a whole number within its bounds."""

    code = "orders.amount_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineInput:
    """One line as a shop states it. Tax and discount are for the whole line, not for a piece."""

    sku: str
    quantity: int
    unit_price_minor: int
    name: str = ""
    kind: str = GOODS
    tax_minor: int = 0
    discount_minor: int = 0

    @property
    def total_minor(self) -> int:
        """quantity × unit price + tax − discount."""
        return self.quantity * self.unit_price_minor + self.tax_minor - self.discount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeInput:
    """Money on the order beside its lines. Below zero only for the kinds that give something off."""

    kind: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Line totals sum to `goods_minor`; goods and charges sum to `total_minor`. Exactly."""

    goods_minor: int
    charges_minor: int
    total_minor: int


def total_up(
    lines: Sequence[LineInput], charges: Sequence[ChargeInput], *, currency: str, expected: int | None = None
) -> Totals:
    """The totals of an order. Raises InvalidOrder; TotalMismatch if `expected` is off by one minor unit."""
    _check_currency(currency)
    _check_lines(lines)
    _check_charges(charges)
    goods = sum(line.total_minor for line in lines)
    extra = sum(charge.amount_minor for charge in charges)
    total = _whole(goods + extra, "total_minor", most=MOST_TOTAL_MINOR)
    if expected is not None and (type(expected) is not int or expected != total):
        raise TotalMismatch(detail=f"The parts sum to {total}, expected_total_minor says {expected}.")
    return Totals(goods_minor=goods, charges_minor=extra, total_minor=total)


def _check_currency(currency: str) -> None:
    if currency not in DECIMALS:
        raise InvalidOrder("orders.currency_unknown", f"{currency!r} is not a currency that is accepted.")


def _check_lines(lines: Sequence[LineInput]) -> None:
    if not any(line.kind == GOODS for line in lines):
        raise InvalidOrder("orders.nothing_to_ship", "An order needs at least one line of goods.")
    if len(lines) > MOST_LINES:
        raise InvalidOrder("orders.too_many_lines", f"An order has at most {MOST_LINES} lines.")
    for position, line in enumerate(lines, start=1):
        _check_line(line, f"lines[{position}]")


def _check_line(line: LineInput, where: str) -> None:
    if line.kind not in LINE_KINDS:
        raise InvalidOrder("orders.line_kind_unknown", f"{where}.kind is {line.kind!r}.")
    _whole(line.quantity, f"{where}.quantity", least=1, most=MOST_PIECES)
    for name in ("unit_price_minor", "tax_minor", "discount_minor"):
        _whole(getattr(line, name), f"{where}.{name}")
    _whole(line.total_minor, f"{where} total", most=MOST_TOTAL_MINOR)


def _check_charges(charges: Sequence[ChargeInput]) -> None:
    if len(charges) > MOST_CHARGES:
        raise InvalidOrder("orders.too_many_charges", f"An order has at most {MOST_CHARGES} charges.")
    for position, charge in enumerate(charges, start=1):
        if charge.kind not in CHARGE_KINDS:
            raise InvalidOrder("orders.charge_kind_unknown", f"charges[{position}].kind is {charge.kind!r}.")
        least = -MOST_MINOR if charge.kind in CREDIT_KINDS else 0
        _whole(charge.amount_minor, f"charges[{position}].amount_minor", least=least)


def _whole(value: int, where: str, *, least: int = 0, most: int = MOST_MINOR) -> int:
    # A bool is an int to Python and a float compares like one; neither is money.
    if type(value) is not int or not least <= value <= most:
        raise AmountInvalid(detail=f"{where} must be a whole number from {least} to {most}.")
    return value
