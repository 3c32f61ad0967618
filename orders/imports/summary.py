"""What an import says at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orders.imports.run import Outcome
from orders.imports.tally import Tally
from sagas.money import money


def lines_of(outcome: Outcome, *, dry: bool, seconds: float) -> Iterator[str]:
    """The figures of one run, a line each."""
    tally = outcome.tally
    yield "Nothing was written (dry run). It would be:" if dry else "Imported:"
    for kind in sorted(tally.new | tally.existing):
        yield f"  {kind:<18} {tally.new[kind]:>8,} new {tally.existing[kind]:>8,} imported before"
    yield from _money("orders", tally.order_totals)
    yield from _money("credit notes", tally.credit_totals)
    yield from _matches(outcome)
    if outcome.without_stock:
        skus = ", ".join(outcome.without_stock)
        yield f"  {'without stock':<18} {len(outcome.without_stock):>8,} SKUs: {skus}"
    yield from _rows(tally)
    yield f"{seconds:.1f} s, {tally.rows_read / max(seconds, 0.001):,.0f} rows/s"


def _money(what: str, totals: Mapping[str, int]) -> Iterator[str]:
    for currency, amount in sorted(totals.items()):
        yield f"  {what:<18} {money(amount, currency):>19}"


def _matches(outcome: Outcome) -> Iterator[str]:
    found = ", ".join(
        f"{rule.replace('_', ' ')} {count:,}" for rule, count in outcome.matches.items() if count
    )
    if found:
        yield f"  returned rows matched by: {found}"


def _rows(tally: Tally) -> Iterator[str]:
    read, imported, reported = tally.rows_read, tally.rows_imported, tally.rows_reported
    yield f"{read:,} rows read = {imported:,} imported + {reported:,} reported"
    for reason, count in sorted(tally.reasons.items()):
        yield f"  {reason:<22} {count:>8,} rows"
