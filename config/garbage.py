"""Python's search for cycles, told what kind of work a worker does."""

from __future__ import annotations

import gc

#: A search after so many new objects; every so many-th search takes in older ones, and so many of those all.
YOUNG, MIDDLE, OLD = 10_000, 20, 50


def search_rarely() -> None:
    """Look for cycles a tenth as often, and never again among what is there now.

    A batch makes objects by the ten thousand and drops them all, hardly any of them in a cycle. Looking through them
    after every 700, and often through everything that was loaded at the start, took a fifth of a worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
