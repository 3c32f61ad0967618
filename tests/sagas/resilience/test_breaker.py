"""A circuit that several processes share through a real Valkey, and what becomes of it without one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from sagas.resilience import breaker as module
from sagas.resilience.breaker import Breaker, CircuitOpen, tally_of
from sagas.resilience.circuit import CircuitPolicy, Forced, Position, Tally
from sagas.resilience.hearing import Wire
from sagas.resilience.rate import RateState, RetryBudget, take
from sagas.resilience.shared import Kept, LocalStore, ValkeyStore

POLICY = CircuitPolicy(
    failure_threshold=3, recovery_timeout=1.0, probes=2, successes_to_close=2, ramp_seconds=0.2,
    probe_seconds=30, minimum_volume=10**9,
)  # fmt: skip


@pytest.fixture
def client() -> redis.Redis:
    found = redis.Redis.from_url(os.environ["REDIS_URL"].replace("redis+socket://", "unix://").split("?")[0])
    for key in found.keys("test:*"):
        found.delete(key)
    return found


@pytest.fixture
def a_worker(client: redis.Redis) -> Callable[[], Breaker]:
    """The circuit as one more process sees it."""
    return lambda: Breaker("bank", "pay", POLICY, ValkeyStore(lambda: client, prefix="test:"))


def fail(worker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        worker.note(Tally(failures=1))


def test_what_one_worker_suffers_stops_the_others(a_worker: Callable[[], Breaker]) -> None:
    one, other = a_worker(), a_worker()

    fail(one, 2)
    fail(other)

    assert one.state().position is Position.OPEN
    assert (one.admit(5).count, other.admit(5).count, a_worker().admit(5).count) == (0, 0, 0)


def test_probes_are_shared_out_among_all_workers(a_worker: Callable[[], Breaker]) -> None:
    workers = [a_worker() for _ in range(5)]
    fail(workers[0], 3)
    time.sleep(1.1)

    counts = [worker.admit(5).count for worker in workers]

    assert counts == [2, 0, 0, 0, 0]


def test_probes_of_different_workers_close_it_together(a_worker: Callable[[], Breaker]) -> None:
    one, other = a_worker(), a_worker()
    fail(one, 3)
    time.sleep(1.1)

    assert (one.admit(1).probing, other.admit(1).probing) == (True, True)
    one.note(Tally(probe_successes=1))
    other.note(Tally(probe_successes=1))

    assert a_worker().state().position is Position.CLOSED


def test_failures_of_many_threads_at_once_are_all_counted(client: redis.Redis) -> None:
    store = ValkeyStore(lambda: client, prefix="test:")
    policy = CircuitPolicy(failure_threshold=1_000, minimum_volume=10**9)
    workers = [Breaker("bank", "pay", policy, store) for _ in range(4)]
    threads = [threading.Thread(target=fail, args=(w, 25)) for w in workers for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert workers[0].state().failures == 400


def test_a_closed_circuit_costs_no_round_trip_for_each_call(
    a_worker: Callable[[], Breaker], client: redis.Redis
) -> None:
    worker = a_worker()
    worker.admit(1)
    before = client.info("commandstats")["cmdstat_evalsha"]["calls"]

    for _ in range(100):
        worker.admit(10)
        worker.note(Tally(successes=10))

    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] - before <= 4


def test_a_person_holds_it_for_all_workers(a_worker: Callable[[], Breaker]) -> None:
    one, other = a_worker(), a_worker()
    forced = Forced(position=Position.OPEN, actor="ada", reason="maintenance", since=time.time())

    one.force(forced)
    held = other.admit(3).count, other.state().forced
    one.force(None)

    assert held == (0, forced)
    assert a_worker().admit(3).count > 0


def test_a_person_who_holds_it_open_stops_even_probes_that_were_let_through(
    a_worker: Callable[[], Breaker],
) -> None:
    worker = a_worker()
    fail(worker, 3)
    time.sleep(1.1)
    admitted = worker.admit(1)

    worker.force(Forced(position=Position.OPEN, actor="ada", reason="maintenance", since=time.time()))

    assert admitted.probing
    assert not worker.lets(probing=True)


def test_without_valkey_a_worker_goes_by_its_own_calls_and_by_what_it_knew() -> None:
    gone = ValkeyStore(lambda: redis.Redis(unix_socket_path="/nowhere/valkey.sock"), prefix="test:")
    worker = Breaker("bank", "pay", POLICY, gone)

    before = worker.admit(7).count
    fail(worker, 3)

    assert (before, worker.admit(7).count, worker.state().shared) == (7, 0, False)


def test_what_was_open_when_valkey_went_stays_open_and_valkey_decides_when_it_is_back(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = True

    def connection() -> redis.Redis:
        return client if alive else redis.Redis(unix_socket_path="/nowhere/valkey.sock")

    monkeypatch.setattr("sagas.resilience.shared.QUIET_SECONDS", 0.05)
    policy = CircuitPolicy(failure_threshold=3, recovery_timeout=60)
    worker = Breaker("bank", "pay", policy, ValkeyStore(connection, prefix="test:"))
    fail(worker, 3)
    alive = False
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)

    alone = worker.admit(1).count, worker.state().shared
    alive = True
    client.delete("test:circuit:bank:pay")
    time.sleep(0.06)

    assert alone == (0, False)
    assert (worker.state().shared, worker.state().position) == (True, Position.CLOSED)


def test_what_cannot_be_read_counts_as_nothing(client: redis.Redis) -> None:
    client.set("test:circuit:bank:pay", b"{not json")
    worker = Breaker("bank", "pay", POLICY, ValkeyStore(lambda: client, prefix="test:"))

    assert worker.admit(2).count == 2
    fail(worker, 3)
    assert worker.state().position is Position.OPEN


def test_call_makes_the_call_and_refuses_when_open(a_worker: Callable[[], Breaker]) -> None:
    worker = a_worker()

    def broken() -> str:
        raise ConnectionError

    assert worker.call(lambda: "yes") == "yes"
    for _ in range(3):
        with pytest.raises(ConnectionError):
            worker.call(broken)
    with pytest.raises(CircuitOpen) as refused:
        worker.call(lambda: "yes")

    assert refused.value.retry_at > time.time() - 1
    assert worker.call(lambda: "yes", fallback=lambda shut: f"later: {shut}") == "later: bank:pay"


def test_a_refused_call_is_counted_apart(a_worker: Callable[[], Breaker]) -> None:
    worker = a_worker()
    counter = module.REFUSED.labels("bank", "pay")
    before = counter._value.get()
    fail(worker, 3)

    worker.admit(4)

    assert counter._value.get() == before + 1
    assert worker.state().failures == 3


@pytest.mark.parametrize(
    ("wire", "well", "expected"),
    [
        (Wire(answered=1), False, Tally(successes=1)),  # the adapter calls a decline what it likes
        (Wire(failed=1), True, Tally(failures=1)),
        (Wire(answered=1, failed=1, wait_seconds=7), True, Tally(failures=1, wait_seconds=7)),
        (Wire(), True, Tally(successes=1)),
        (Wire(), False, Tally(failures=1)),
    ],
)
def test_a_call_is_judged_by_the_wire_or_else_by_its_answer(wire: Wire, well: bool, expected: Any) -> None:
    assert tally_of(wire, well=well, probing=False) == expected


def test_a_read_that_went_well_proves_nothing_and_frees_its_probe() -> None:
    assert tally_of(Wire(answered=1), well=True, probing=True, proves=False) == Tally(freed=1)
    assert tally_of(Wire(failed=1), well=True, probing=True, proves=False) == Tally(probe_failures=1)
    assert tally_of(Wire(answered=1), well=True, probing=False, proves=False) == Tally()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, (1, 0)), (402, (1, 0)), (409, (1, 0)), (500, (0, 1)), (503, (0, 1)), (429, (0, 1)), (401, (0, 1))],
)
def test_refusals_are_answers_and_being_sent_away_is_not(status: int, expected: Any) -> None:
    wire = Wire()

    wire.status(status, 3.0)

    assert (wire.answered, wire.failed) == expected
    assert wire.wait_seconds == (3.0 if wire.failed else 0.0)


def test_a_rate_is_kept_by_all_together(client: redis.Redis) -> None:
    kept = [Kept("rate:bank", RateState, ValkeyStore(lambda: client, prefix="test:")) for _ in range(3)]

    def rule(state: RateState, now: float) -> tuple[RateState, tuple[int, float]]:
        return take(state, 4, now, per_second=1, burst=10)

    assert [one.change(rule)[0] for one in (*kept, kept[0])] == [4, 4, 2, 0]


def test_a_rate_comes_back_with_time() -> None:
    state, (first, _) = take(RateState(), 100, 50.0, per_second=5, burst=10)
    state, (none, when) = take(state, 100, 50.1, per_second=5, burst=10)
    _, (later, _) = take(state, 100, 51.0, per_second=5, burst=10)

    assert (first, none, round(when, 6), later) == (10, 0, 50.2, 5)


def test_repeats_are_a_share_of_first_calls_and_a_few_a_second() -> None:
    at = [0.0]
    budget = RetryBudget(share=0.5, per_second=1, most=4, clock=lambda: at[0])
    spent = [budget.repeat() for _ in range(5)]
    budget.first()
    budget.first()
    earned = [budget.repeat() for _ in range(2)]
    at[0] = 2.0

    assert (spent, earned) == ([True] * 4 + [False], [True, False])
    assert [budget.repeat() for _ in range(3)] == [True, True, False]


def test_the_local_store_swaps_only_what_it_was_shown() -> None:
    store = LocalStore(lambda: 1.0)

    assert store.swap("k", b"", b"a")[0] is True
    assert store.swap("k", b"", b"b")[0] is False
    assert store.read("k").raw == b"a"
