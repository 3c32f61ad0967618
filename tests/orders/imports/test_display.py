"""An import shows how far it is: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io

import pytest

from orders.imports.display import BarDisplay, LineDisplay, shown
from orders.imports.tally import Tally


class Terminal(io.StringIO):
    """Something that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _tally(rows: int) -> Tally:
    tally = Tally(rows_read=rows)
    tally.new["order"] = rows // 10
    return tally


def test_elsewhere_lines_are_written_and_not_too_many() -> None:
    out = io.StringIO()

    with shown(out) as display:
        for rows in (10, 20):
            display.surveying(rows)
        for rows in (0, 1_000, 2_000):
            display.importing(_tally(rows), rows_in_all=2_000)

    assert isinstance(display, LineDisplay)
    first, second = out.getvalue().splitlines()
    assert first == "looking through the file, 10 rows so far"
    assert second.startswith("1,000 of 2,000 rows, 100 orders, ")


def test_on_a_terminal_a_bar_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    out = Terminal()

    with shown(out) as display:
        display.surveying(2_000)
        display.importing(_tally(0), rows_in_all=2_000)
        display.importing(_tally(1_000), rows_in_all=2_000)

    assert isinstance(display, BarDisplay)
    assert "importing" in out.getvalue()
    assert "1,000 rows, 100 orders, " in out.getvalue()
