"""A task done by several processes of its own: all ready before the clock starts, each does its part, all end."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any, TypeVar

T = TypeVar("T")
#: Makes one process ready for its part, the so-many-th of so many, and answers what remains to be done.
Prepare = Callable[[T, int, int], Callable[[], None]]


@dataclass(frozen=True)
class Ran:
    """How long it took from the start of the first to the end of the last, and their processor time."""

    seconds: float
    cpu_seconds: float


def run(prepare: Prepare[T], task: T, *, processes: int) -> Ran:
    """Do it. Raises RuntimeError if one of them fails."""
    context = multiprocessing.get_context("spawn")
    together, used = context.Barrier(processes + 1), context.Array("d", processes)
    children = [
        context.Process(target=_child, args=(prepare, task, part, together, used), daemon=True)
        for part in range(processes)
    ]
    for child in children:
        child.start()
    try:
        together.wait()
        began = time.monotonic()
        together.wait()
        return Ran(time.monotonic() - began, sum(used[:]))
    except threading.BrokenBarrierError:
        raise RuntimeError("A process failed; what it said stands above.") from None
    finally:
        for child in children:
            child.join()


def _child(prepare: Prepare[Any], task: Any, part: int, together: Barrier, used: Any) -> None:
    try:
        go = prepare(task, part, len(used))
        together.wait()
        began = time.process_time()
        go()
        used[part] = time.process_time() - began
        together.wait()
    except BaseException:
        together.abort()
        raise


def part_of(items: Sequence[T], part: int, of: int) -> Sequence[T]:
    """Every so-many-th of them."""
    return items[part::of]
