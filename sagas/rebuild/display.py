"""Showing a rebuild: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from sagas.display import span
from sagas.rebuild.run import Watcher

LINE_EVERY_SECONDS = 5.0


class Pace:
    """How fast a build goes, counted from where this run of it began."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None

    def told(self, events: int, of_about: int) -> str:
        """Events done of about how many, the rate, the time left."""
        if self._began is None:
            self._began = (time.monotonic(), events)
        at, before = self._began
        rate = (events - before) / max(time.monotonic() - at, 0.001)
        words = f"{events:,} of about {of_about:,} events"
        if rate < 1:
            return words
        left = span(timedelta(seconds=max(0, of_about - events) / rate))
        return f"{words}, {rate:,.0f}/s, {left} left"


@contextmanager
def shown(out: TextIO, title: str) -> Iterator[Watcher]:
    """A watcher that suits where `out` leads."""
    console = Console(file=out)
    if not console.is_terminal:
        yield _lines(out)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console, transient=True) as progress:
        yield _bar(progress, title)


def _lines(out: TextIO) -> Watcher:
    pace, next_line = Pace(), time.monotonic() + LINE_EVERY_SECONDS

    def watch(events: int, of_about: int) -> None:
        nonlocal next_line
        told = pace.told(events, of_about)
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_EVERY_SECONDS
            print(told, file=out, flush=True)

    return watch


def _bar(progress: Progress, title: str) -> Watcher:
    pace, task = Pace(), progress.add_task(title, total=None, told="")

    def watch(events: int, of_about: int) -> None:
        progress.update(task, completed=events, total=of_about, told=pace.told(events, of_about))

    return watch
