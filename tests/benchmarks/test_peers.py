"""The benchmark's peers do the shop's work rightly, so that what is measured is the same work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks.side_by_side import tables
from benchmarks.side_by_side.contender import Contender, Missing, Place
from benchmarks.side_by_side.peers import PEERS
from benchmarks.side_by_side.peers.hands import HandFailed, hands
from benchmarks.side_by_side.peers.intake import pack, unpack
from benchmarks.side_by_side.peers.packages import find_program, version_of
from benchmarks.side_by_side.workload import orders
from config.embedded.processes import started_at
from tests import services

MakePlace = Callable[[str], Place]


@pytest.fixture(scope="module")
def filled() -> Iterator[str]:
    """A database with the shop's tables, to be copied."""
    _postgres("CREATE DATABASE shop_filled")
    with psycopg.connect(_conninfo("shop_filled"), autocommit=True) as connection:
        tables.create(connection)
    yield "shop_filled"
    _postgres("DROP DATABASE shop_filled")


@pytest.fixture
def make_place(filled: str, tmp_path: Path) -> Iterator[MakePlace]:
    """A place of a contender's own on the test services."""
    made: list[str] = []

    def make(name: str) -> Place:
        made.append(f"peer_{name.replace('-', '_')}")
        _postgres(f"CREATE DATABASE {made[-1]} TEMPLATE {filled}")
        state = services.current().state
        return Place(made[-1], state.postgres_socket, state.redis_url, tmp_path)

    yield make
    for database in made:
        _postgres(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.mark.parametrize("kind", PEERS, ids=[kind.name for kind in PEERS])
def test_a_peer_ends_every_order_as_it_should_and_leaves_no_process(
    kind: type[Contender], make_place: MakePlace
) -> None:
    peer = kind()
    try:
        peer.check()
    except Missing as missing:
        pytest.skip(str(missing))
    place = make_place(peer.name)
    peer.install(place)

    with peer.running(place) as running:
        workers = running.workers()
        running.load(orders("many", 20, failing=0.2))
        running.one(orders("alone", 1)[0])
        running.one(orders("refused", 1, failing=1.0)[0])

    with place.connect() as connection:
        assert tables.breaches(connection, expected=22) == []
    assert workers
    assert [pid for pid in workers if started_at(pid)] == []


def test_what_is_not_installed_is_named_with_how_to_get_it() -> None:
    with pytest.raises(Missing, match="no-such-peer is not installed: ask for it"):
        version_of("no-such-peer", get="ask for it")
    with pytest.raises(Missing, match="no-such-server is not on the PATH: ask for it"):
        find_program("no-such-server", get="ask for it")


def test_orders_come_out_of_the_pipe_as_they_went_in() -> None:
    wanted = orders("packed", 7, failing=0.2)

    assert unpack(pack(wanted)) == wanted


def test_a_worker_that_ends_at_once_is_told_of(make_place: MakePlace) -> None:
    place = make_place("ended")

    with pytest.raises(HandFailed, match="no_such_module said ''"), hands("no_such_module", place, 1):
        raise AssertionError("it was never ready")


def _conninfo(database: str) -> str:
    return f"dbname={database} host={services.current().state.postgres_socket} user=postgres"


def _postgres(statement: str) -> None:
    with psycopg.connect(_conninfo("postgres"), autocommit=True) as connection:
        connection.execute(statement)
