"""Amounts as people read them. Inside the system they stay integers in minor units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: ISO 4217 currencies whose minor unit is not a hundredth.
_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def decimals(currency: str) -> int:
    """How many digits of an amount stand behind the point."""
    return _DECIMALS.get(currency, 2)


def money(amount_minor: int, currency: str) -> str:
    """`123456` GBP is "1,234.56 GBP", `1234` JPY is "1,234 JPY". Exact: no float is involved."""
    places = decimals(currency)
    whole, rest = divmod(abs(amount_minor), 10**places)
    number = f"{whole:,}.{rest:0{places}d}" if places else f"{whole:,}"
    return f"{'-' if amount_minor < 0 else ''}{number} {currency}".rstrip()


def purse(amounts: Mapping[str, int]) -> str:
    """Amounts of several currencies in one line, the largest first. Currencies are never added up."""
    held: Iterable[tuple[str, int]] = sorted(amounts.items(), key=lambda item: (-abs(item[1]), item[0]))
    return " + ".join(money(minor, currency) for currency, minor in held if minor)
