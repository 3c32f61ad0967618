"""Showing an import: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from orders.imports.run import Display
from orders.imports.tally import Tally

LINE_EVERY_SECONDS = 5.0


class LineDisplay:
    """For logs and pipes: a line when something begins, and one every few seconds."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = time.monotonic()
        self._next = 0.0
        self._surveyed = False

    def surveying(self, rows: int) -> None:
        """Say once that the file is being looked through."""
        if not self._surveyed:
            self._surveyed = True
            self._line(f"looking through the file, {rows:,} rows so far")

    def importing(self, tally: Tally, *, rows_in_all: int) -> None:
        """Say how far it is, at most every few seconds."""
        if not tally.rows_read:
            self._began = time.monotonic()
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_SECONDS
            self._line(f"{tally.rows_read:,} of {rows_in_all:,} rows, {_figures(tally, self._began)}")

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)


class BarDisplay:
    """For people: one bar for looking through the file, then one for importing it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._survey: TaskID | None = None
        self._import: TaskID | None = None
        self._began = 0.0

    def surveying(self, rows: int) -> None:
        """Move the first bar, whose end is not known yet."""
        if self._survey is None:
            self._survey = self._progress.add_task("looking through", total=None, figures="")
        self._progress.update(self._survey, figures=f"{rows:,} rows")

    def importing(self, tally: Tally, *, rows_in_all: int) -> None:
        """Move the second bar."""
        if self._import is None:
            self._began = time.monotonic()
            if self._survey is not None:
                self._progress.update(self._survey, total=1, completed=1)
            self._import = self._progress.add_task("importing", total=rows_in_all, figures="")
        figures = f"{tally.rows_read:,} rows, {_figures(tally, self._began)}"
        self._progress.update(self._import, completed=tally.rows_read, figures=figures)


@contextmanager
def shown(out: TextIO) -> Iterator[Display]:
    """A display that suits where `out` leads."""
    console = Console(file=out)
    if not console.is_terminal:
        yield LineDisplay(out)
        return
    columns = (
        TextColumn("{task.description:>15}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield BarDisplay(progress)


def _figures(tally: Tally, began: float) -> str:
    seconds = max(time.monotonic() - began, 0.001)
    orders = tally.new["order"] + tally.existing["order"]
    return f"{orders:,} orders, {tally.rows_read / seconds:,.0f} rows/s"
