"""The side-by-side benchmark itself: everyone gets the same orders, and nobody is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from benchmarks.side_by_side import single, tables
from benchmarks.side_by_side.contender import Contender, Missing, Place, Running
from benchmarks.side_by_side.course import BooksBroken, Course, Entrant, Plan, rotated
from benchmarks.side_by_side.figures import ALONE, FAILING, HAPPY, Found
from benchmarks.side_by_side.limits import LIMITS
from benchmarks.side_by_side.limits.bare import UNDOS, by_order
from benchmarks.side_by_side.stage import NotDurable, Stage
from benchmarks.side_by_side.workload import LINES, Wanted, in_batches, orders
from config.embedded.postgres import PostgresCluster
from tests import services


def test_the_same_name_gives_the_same_orders_and_another_name_others() -> None:
    assert orders("a", 50) == orders("a", 50)
    assert {o.id for o in orders("a", 50)}.isdisjoint(o.id for o in orders("b", 50))


def test_a_smaller_load_is_the_beginning_of_a_larger_one() -> None:
    assert orders("a", 20, failing=0.2) == orders("a", 50, failing=0.2)[:20]


def test_every_fifth_order_of_a_failing_load_fails() -> None:
    found = [o.fails for o in orders("a", 100, failing=0.2)]

    assert sum(found) == 20
    assert found[:5] == [False, False, False, False, True]


def test_an_order_has_three_lines_of_three_skus_in_one_order() -> None:
    for order in orders("a", 200):
        skus = [line.sku for line in order.lines]
        assert skus == sorted(set(skus))
        assert len(skus) == LINES


def test_batches_hold_every_order_once() -> None:
    wanted = orders("a", 45)

    assert [len(b) for b in in_batches(wanted, 20)] == [20, 20, 5]
    assert [o for b in in_batches(wanted, 20) for o in b] == wanted


def test_another_contender_begins_each_repeat() -> None:
    entrants = [Entrant(kind(), None) for kind in LIMITS[:3]]  # type: ignore[arg-type]

    firsts = [rotated(entrants, repeat)[0].name for repeat in range(4)]

    assert firsts == [LIMITS[0].name, LIMITS[1].name, LIMITS[2].name, LIMITS[0].name]


class InOneProcess(Contender):
    """Sells in this process, as bare SQL."""

    name = "honest"
    title = "Honest"
    durable = True
    size = 30
    loses: ClassVar[int] = 0

    def check(self) -> str:
        return "1.0"

    def install(self, place: Place) -> None:
        """Nothing."""

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        with place.connect() as connection:
            yield Seller(connection, self.loses)


class Seller(Running):
    def __init__(self, connection: Any, loses: int) -> None:
        self._connection = connection
        self._loses = loses

    def load(self, wanted: Sequence[Wanted]) -> None:
        for order in wanted[: len(wanted) - self._loses]:
            self.one(order)

    def one(self, order: Wanted) -> None:
        by_order(self._connection, order)


class Unlucky(Running):
    def load(self, wanted: Sequence[Wanted]) -> None:
        raise RuntimeError("out of luck")

    def one(self, order: Wanted) -> None:
        raise RuntimeError("out of luck")


class Losing(InOneProcess):
    name = "losing"
    loses = 1


class Absent(InOneProcess):
    name = "absent"

    def check(self) -> str:
        raise Missing("It is not installed.")


class Breaking(InOneProcess):
    name = "breaking"

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        yield Unlucky()


class Doubling(InOneProcess):
    """Moves stock behind everybody's back."""

    name = "doubling"

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        with super().running(place) as running, place.connect() as connection:
            yield running
            connection.execute("UPDATE shop_stock SET held = held + 1 WHERE sku = 'SKU-0000'")


Contest = Callable[..., Found]
PLAN = Plan(repeats=2, scale=1.0, alone=5)


@pytest.fixture(scope="module")
def stage() -> Stage:
    """The course's stage on the services of the tests."""
    state = services.current().state
    return Stage(PostgresCluster(state.database_home(), state.postgres_socket, durable=False), state)


@pytest.fixture
def contest(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Contest]:
    """Run some contenders over a short course, on databases that go afterwards."""
    monkeypatch.setattr("benchmarks.side_by_side.course.REST_SECONDS", 0)
    monkeypatch.setattr("benchmarks.side_by_side.course.PAUSE_SECONDS", 0)
    monkeypatch.setattr(tables, "OLD_ORDERS", 200)
    found = Found("now", vars(PLAN), {})
    kept: list[dict[str, Any]] = []
    course = Course(stage, PLAN, found, say=lambda _: None, keep=lambda f: kept.append(f.to_json()))

    def run(*kinds: type[Contender]) -> Found:
        course.run(kinds)
        assert kept[-1] == found.to_json()
        return found

    yield run
    with stage.connect() as connection:
        for entrant in course.entrants:
            connection.execute(f"DROP DATABASE {entrant.place.database} WITH (FORCE)")


def test_a_contender_is_measured_in_every_repeat_and_the_missing_one_is_named(contest: Contest) -> None:
    found = contest(InOneProcess, Absent)

    assert [(m.contender, m.repeat, m.what) for m in found.measured] == [
        ("honest", repeat, what) for repeat in range(2) for what in (HAPPY, FAILING, ALONE)
    ]
    assert {e.name: (e.version, e.missing) for e in found.entries} == {
        "honest": ("1.0", ""),
        "absent": ("", "It is not installed."),
    }
    happy = found.measured[0].values
    assert happy["orders"] == 30
    assert happy["commits"] >= 1
    assert happy["wal_kb"] > 1
    assert found.measured[2].values["p50_ms"] <= found.measured[2].values["p99_ms"]


def test_one_that_says_done_too_early_ends_the_run(contest: Contest) -> None:
    with pytest.raises(BooksBroken, match="losing: said done when 29 of 30 orders had ended"):
        contest(Losing)


def test_books_that_do_not_balance_end_the_run(contest: Contest) -> None:
    with pytest.raises(BooksBroken, match=r"doubling: a SKU of which not exactly .* held: SKU-0000"):
        contest(Doubling)


def test_one_that_breaks_down_is_noted_and_the_others_go_on(contest: Contest) -> None:
    found = contest(Breaking, InOneProcess)

    assert found.failed == {"breaking": "RuntimeError: out of luck"}
    assert {m.contender for m in found.measured} == {"honest"}


def test_nobody_is_measured_on_a_server_that_may_lose_commits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "OLD_ORDERS", 10)
    careless = Stage(replace(stage.cluster, durable=True), stage.state)

    with pytest.raises(NotDurable, match="fsync is off"):
        careless.prepare(InOneProcess())

    with stage.connect() as connection:
        connection.execute("DROP DATABASE bench_honest")


@pytest.mark.parametrize("kind", LIMITS, ids=lambda kind: kind.name)
def test_a_limit_keeps_the_books_with_every_fifth_order_failing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: type[Contender]
) -> None:
    monkeypatch.setattr(tables, "OLD_ORDERS", 200)
    place = stage.prepare(kind())

    with kind().running(place) as running, place.connect() as connection:
        running.load(orders("failing", 250, failing=0.2))
        for order in orders("alone", 3):
            running.one(order)
        assert running.workers()

        assert tables.breaches(connection, expected=253) == []
        rejected = connection.execute("SELECT count(*) FROM shop_order WHERE state = 'rejected'").fetchone()
        assert rejected == (50,)
        if kind.durable:
            assert_sagas_tell_the_same(connection)
    with stage.connect() as connection:
        connection.execute(f"DROP DATABASE {place.database} WITH (FORCE)")


def assert_sagas_tell_the_same(connection: Any) -> None:
    """Each saga ended as its order did, no step is due, and the facts are without a gap."""
    assert connection.execute(
        "SELECT o.state, s.state, count(*) FROM shop_order o JOIN limit_saga s USING (id) GROUP BY 1, 2 ORDER BY 1"
    ).fetchall() == [("confirmed", "completed", 403), ("rejected", "compensated", 50)]
    assert connection.execute(
        "SELECT name, count(*) FROM limit_step WHERE state <> 'done' GROUP BY 1"
    ).fetchall() == [("confirm", 50)]
    assert connection.execute(
        "SELECT max, count(*) FROM (SELECT stream, max(version), count(*) AS facts FROM limit_event GROUP BY 1)"
        " WHERE max = facts GROUP BY 1 ORDER BY 1"
    ).fetchall() == [(5, 403), (7, 50)]


def test_every_step_that_has_an_undo_is_given_back_newest_first() -> None:
    assert [single.cancel, single.release, single.void] == UNDOS
