"""What an import has done so far, counted so that no row can get lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from orders.imports.records import OrderDraft
from orders.imports.store import Written


@dataclass(slots=True)
class Tally:
    """Counts of documents and rows. `rows_read` is counted by the reader, the rest by what was written."""

    rows_read: int = 0
    rows_imported: int = 0
    new: Counter[str] = field(default_factory=Counter)
    existing: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    order_totals: Counter[str] = field(default_factory=Counter)  #: Minor units by currency.
    credit_totals: Counter[str] = field(default_factory=Counter)

    @property
    def rows_reported(self) -> int:
        """Rows left out, each with a reason."""
        return sum(self.reasons.values())

    @property
    def balanced(self) -> bool:
        """Rows read = rows imported + rows reported."""
        return self.rows_read == self.rows_imported + self.rows_reported

    @property
    def documents(self) -> int:
        """Documents imported, now or before."""
        return self.new.total() + self.existing.total()

    def add(self, written: Sequence[Written]) -> None:
        """Count what became of a batch."""
        for one in written:
            self.rows_imported += len(one.record.taken)
            self.reasons.update(row.code for row in one.record.reported)
            if one.record.fact is not None:
                (self.existing if one.existing else self.new)[one.record.kind] += 1
                self._add_amounts(one)

    def _add_amounts(self, one: Written) -> None:
        match one.record.fact:
            case OrderDraft() as order:
                self.order_totals[order.currency] += order.total_minor
            case tuple() as parts:
                for part in parts:
                    self.credit_totals[part.currency] += part.amount_minor
