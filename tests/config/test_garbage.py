"""A worker looks for cycles rarely, and still finds them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from celery.signals import worker_process_init

from config import celery as wiring
from config.garbage import YOUNG, search_rarely


class Knot:
    """Holds itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_was_loaded_at_the_start_is_left_alone_from_then_on() -> None:
    search_rarely()

    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] == YOUNG


def test_cycles_are_still_found() -> None:
    search_rarely()

    alive = [weakref.ref(Knot()) for _ in range(5 * YOUNG)]

    assert sum(ref() is not None for ref in alive) < 2 * YOUNG


def test_every_process_of_a_worker_does_so() -> None:
    listening = [receiver() for _, receiver in worker_process_init.receivers]

    assert wiring.spare_the_batches in listening
