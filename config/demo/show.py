"""What a person sees of the demonstration: a live line while it runs, tables at the end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.demo.figures import Counts, Figures
from sagas.money import money

#: Without a terminal a line is printed this often.
PLAIN_SECONDS = 5.0


class Show:
    """Prints to one console; on a terminal progress is a line that is written over."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._status = console.status("") if console.is_terminal else None
        self._last_line = 0.0

    def say(self, text: str) -> None:
        """One line that stays."""
        self.console.print(text, highlight=False)

    def phase(self, title: str) -> None:
        """A new part begins."""
        self.console.print(Text(title, style="bold"))
        self._last_line = time.monotonic()

    def progress(self, text: str) -> None:
        """How far it has come."""
        if self._status is not None:
            self._status.update(text)
            self._status.start()
        elif time.monotonic() - self._last_line >= PLAIN_SECONDS:
            self._last_line = time.monotonic()
            self.say(f"  {text}")

    def still(self) -> None:
        """Take the live line away."""
        if self._status is not None:
            self._status.stop()

    def tables(self, found: Figures) -> None:
        """Everything that came of it."""
        for table in (
            _orders(found),
            _sagas(found),
            _table("Given back (compensations run)", ("compensation", "times"), found.undone),
            _causes(found),
            _parked(found),
            _notes(found),
            _money(found),
            _units(found),
        ):
            if table.row_count:
                self.console.print(table)


def progress_line(now: Counts, *, orders_in_all: int | None, seconds: float) -> str:
    """One line of progress."""
    of = f" of {orders_in_all:,}" if orders_in_all else ""
    rate = now.final / seconds if seconds > 0 else 0
    parts = [
        f"{now.orders:,}{of} orders placed",
        f"{now.final:,} of {now.sagas:,} sagas final",
        f"{now.compensating:,} giving back",
        f"{now.parked:,} parked",
        f"{rate:,.0f}/s",
    ]
    return "  ".join(parts)


def _table(title: str, heads: Sequence[str], body: Sequence[Sequence[object]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for row in body:
        table.add_row(*[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row])
    return table


def _orders(found: Figures) -> Table:
    total = ("all", sum(row[1] for row in found.orders))
    return _table("Orders by end state", ("state", "orders"), [*[row[:2] for row in found.orders], total])


def _sagas(found: Figures) -> Table:
    body = [
        (f"{name} {state}{f', {hold}' if hold else ''}", number) for name, state, hold, number in found.sagas
    ]
    return _table("Sagas by end state", ("saga", "sagas"), body)


def _causes(found: Figures) -> Table:
    body = [(f"{code} at {step}" if step else code, number, money(int(sum_), _currency(found)))
            for code, step, number, sum_ in found.causes]  # fmt: skip
    body.append(("outcome unknown, then settled with the provider", found.unknown_settled, ""))
    body.append(("tried again after the provider was unavailable", found.retried, ""))
    return _table("Failures by cause", ("cause", "times", "money in them"), body)


def _parked(found: Figures) -> Table:
    body = [(why, number, money(int(sum_), _currency(found))) for why, number, sum_ in found.parked]
    return _table("Parked for a person", ("reason", "sagas", "money in them"), body)


def _notes(found: Figures) -> Table:
    body = [
        (f"{kind}, {state}", n, money(int(sum_), _currency(found))) for kind, state, n, sum_ in found.notes
    ]
    return _table("Credit notes", ("kind", "notes", "amount"), body)


def _money(found: Figures) -> Table:
    heads = ("", "authorized", "captured", "voided", "refunded", "customer credit")
    body = [
        (c, *[money(int(v), c).removesuffix(f" {c}") for v in (*values, found.credit.get(c, 0))])
        for c, *values in found.money
    ]
    return _table("Money", heads, body)


def _units(found: Figures) -> Table:
    return _table("Units", ("held or allocated", "shipped", "returned"), [tuple(int(v) for v in found.units)])


def _currency(found: Figures) -> str:
    return str(found.money[0][0]) if found.money else "GBP"
