"""Reads from a real standby that streams from a real primary: what it answers, refuses, lags behind, and survives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.embedded.postgres import PostgresCluster, find_binaries
from config.embedded.programs import Program
from config.embedded.stack import MANAGE
from config.embedded.state import BASE_DIR, State, database_account
from config.embedded.supervisor import Supervisor
from tests.services import PREFIX
from tests.waiting import eventually

STREAMING = ("-c", "wal_level=replica", "-c", "max_wal_senders=4", "-c", "hot_standby=on")
SUB = "sagas.somebody"
WHERE = "SELECT pg_is_in_recovery()"


def streaming(cluster: PostgresCluster, name: str) -> Program:
    program = cluster.program()
    return replace(program, name=name, command=(*program.command, *STREAMING))


class Pair:
    """A primary and its standby."""

    def __init__(self, root: Path) -> None:
        self.state = State(root)
        self.state.prepare()
        self.supervisor = Supervisor(processes=self.state.processes, logs=self.state.logs)
        home = self.state.database_home()
        self.primary = PostgresCluster(home, self.state.postgres_socket, durable=False)
        self.standby = PostgresCluster(home / "s", self.state.runtime / "s", durable=False)

    def start(self) -> None:
        self.supervisor.start(streaming(self.primary, "primary"))
        self.primary.create_database()
        subprocess.run([*MANAGE, "migrate", "-v0"], cwd=BASE_DIR, env=self.env(), check=True)
        self._copy()
        self.start_standby()

    def start_standby(self) -> None:
        self.supervisor.start(streaming(self.standby, "standby"))

    def stop_standby(self) -> None:
        self.supervisor.stop("standby")

    def _copy(self) -> None:
        account = database_account()
        folder = self.standby.data.parent
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, account.uid, account.gid)
        subprocess.run(
            [find_binaries(account).folder / "pg_basebackup", "-h", self.primary.socket, "-U", "postgres",
             "-D", self.standby.data, "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"],
            check=True, cwd="/", user=account.uid if account else None, group=account.gid if account else None,
        )  # fmt: skip

    def env(self) -> dict[str, str]:
        replica = f"postgresql:///waybill?host={self.standby.socket}&user=postgres"
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": self.state.database_url,
            "DATABASE_REPLICA_URL": replica,
        }

    def sql(self, cluster: PostgresCluster, statement: str) -> Any:
        with psycopg.connect(
            host=str(cluster.socket), user="postgres", dbname="waybill", autocommit=True
        ) as session:
            found = session.execute(statement)
            return found.fetchone() if found.description else None

    def caught_up(self) -> bool:
        at = self.sql(self.primary, "SELECT pg_current_wal_lsn()::text")[0]
        return bool(self.sql(self.standby, f"SELECT pg_last_wal_replay_lsn() >= '{at}'")[0])

    def run(self, code: str, **env: str) -> tuple[Any, str]:
        """Run code that leaves its answer in `answer`. The answer and what was logged."""
        before = (
            "import django, json, os; django.setup()\n"
            "from django.db import connections, transaction, Error\n"
            "from sagas import reading\nfrom sagas.log import Token\nfrom sagas.sql import execute, rows\n"
            "from sagas.models import Checkpoint\n"
            f"SUB, WHERE = {SUB!r}, {WHERE!r}\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", f"{before}{code}\nprint('ANSWER ' + json.dumps(answer))"],
            cwd=BASE_DIR, env=self.env() | env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = next(line for line in done.stdout.splitlines() if line.startswith("ANSWER "))
        return json.loads(told.removeprefix("ANSWER ")), done.stdout + done.stderr


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    root.chmod(0o711)
    pair = Pair(root)
    with pair.state.locked("tests"):
        try:
            pair.start()
            yield pair
        finally:
            pair.supervisor.stop_all(grace_seconds=5)
            pair.state.remove()
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    """Both servers running and level."""
    assert eventually(servers.caught_up)
    yield servers
    servers.sql(servers.primary, "TRUNCATE sagas_checkpoint")


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_read_goes_to_the_replica_and_a_write_through_it_is_refused(pair: Pair, role: str) -> None:
    answer, _ = pair.run(
        "answer = {'rows': reading.replica_rows(WHERE)[0][0], 'alias': reading.read_alias(),\n"
        "          'orm': list(Checkpoint.objects.using(reading.read_alias())), 'primary': rows(WHERE)[0][0]}\n"
        "try:\n    connections['replica'].cursor().execute('DELETE FROM sagas_checkpoint')\n"
        "except Error as error:\n    answer['refused'] = error.__cause__.sqlstate",
        WAYBILL_ROLE=role,
    )

    assert answer == {"rows": True, "alias": "replica", "orm": [], "primary": False, "refused": "25006"}


def test_even_a_primary_named_as_the_replica_is_not_written_through_it(pair: Pair) -> None:
    answer, _ = pair.run(
        "try:\n    connections['replica'].cursor().execute('DELETE FROM sagas_checkpoint'); answer = 'written'\n"
        "except Error as error:\n    answer = error.__cause__.sqlstate",
        DATABASE_REPLICA_URL=pair.state.database_url,
    )

    assert answer == "25006"


def test_a_transaction_reads_what_it_wrote(pair: Pair) -> None:
    answer, _ = pair.run("with transaction.atomic():\n    answer = reading.replica_rows(WHERE)[0][0]")

    assert answer is False


def test_a_read_after_a_token_passes_over_a_replica_that_lags(pair: Pair) -> None:
    look = (
        "after = (SUB, Token(1, 500, 7))\n"
        "answer = [reading.read_alias(after=after), reading.replica_rows(WHERE, after=after)[0][0],\n"
        "          reading.reached(*after), reading.replica_rows(WHERE)[0][0]]"
    )
    pair.sql(pair.standby, "SELECT pg_wal_replay_pause()")
    try:
        pair.sql(
            pair.primary,
            "INSERT INTO sagas_checkpoint (subscription, shard, era, xid, position, state, error)"
            f" VALUES ('{SUB}', 0, 1, 500, 7, 'running', '')",
        )
        lagging, _ = pair.run(look)
    finally:
        pair.sql(pair.standby, "SELECT pg_wal_replay_resume()")
    assert eventually(pair.caught_up)
    level, _ = pair.run(look)

    assert lagging == ["default", False, True, True]
    assert level == ["replica", True, True, True]


def test_the_orders_a_shop_sees_come_from_the_replica_unless_it_lags_behind_the_shops_write(
    pair: Pair,
) -> None:
    look = (
        "from uuid import UUID\nfrom orders import queries\nfrom sagas.web.reading import look\n"
        "def using(after):\n"
        "    page = lambda at: (at.using, queries.list_orders(queries.OrderFilters(), shop_id=UUID(int=1), at=at))\n"
        "    seen, (alias, page) = look(queries.PROJECTION, after, page)\n"
        "    return [alias, str(seen.token), len(page.orders)]\n"
        "answer = [using(''), using('1.500.7')]"
    )
    pair.sql(pair.standby, "SELECT pg_wal_replay_pause()")
    try:
        pair.sql(
            pair.primary,
            "INSERT INTO sagas_checkpoint (subscription, shard, era, xid, position, state, error)"
            " VALUES ('orders.view', 0, 1, 500, 7, 'running', '')",
        )
        lagging, _ = pair.run(look)
    finally:
        pair.sql(pair.standby, "SELECT pg_wal_replay_resume()")
    assert eventually(pair.caught_up)
    level, _ = pair.run(look)

    assert lagging == [["replica", "0.0.0", 0], ["default", "1.500.7", 0]]
    assert level == [["replica", "1.500.7", 0], ["replica", "1.500.7", 0]]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_without_its_replica_the_primary_answers_and_one_warning_is_given(pair: Pair, role: str) -> None:
    pair.stop_standby()
    try:
        answer, logged = pair.run(
            "answer = [reading.replica_rows(WHERE)[0][0], reading.replica_rows(WHERE)[0][0], reading.read_alias()]\n"
            "reading._standing.away_until = 0\nanswer.append(reading.read_alias())",
            WAYBILL_ROLE=role,
        )
    finally:
        pair.start_standby()

    assert answer == [False, False, "default", "default"]
    assert logged.count("replica_not_reached") == 1


def test_a_query_that_fails_on_the_replica_is_answered_by_the_primary(pair: Pair) -> None:
    answer, _ = pair.run(
        "from django.db import OperationalError\n"
        "asked = []\n"
        "def query(alias):\n"
        "    asked.append(alias)\n"
        "    if alias == 'replica':\n"
        "        connections[alias].cursor().execute('SELECT pg_terminate_backend(pg_backend_pid())')\n"
        "    return Checkpoint.objects.using(alias).count()\n"
        "answer = [reading.read(query), asked]"
    )

    assert answer == [0, ["replica", "default"]]


def test_a_query_that_takes_too_long_is_not_asked_twice(pair: Pair) -> None:
    answer, _ = pair.run(
        "asked = []\n"
        "def query(alias):\n"
        "    asked.append(alias)\n"
        '    connections[alias].cursor().execute("SET statement_timeout = 50; SELECT pg_sleep(5)")\n'
        "try:\n    reading.read(query)\n"
        "except Error as error:\n    answer = [error.__cause__.sqlstate, asked]"
    )

    assert answer == ["57014", ["replica"]]


def test_one_read_at_a_time_looks_whether_a_lost_replica_is_back(pair: Pair) -> None:
    answer, _ = pair.run(
        "import time\nreading._standing.away_until = time.monotonic() - 1\n"
        "answer = [reading._standing.may_be_asked(), reading._standing.may_be_asked()]\n"
        "reading._standing.answered()\n"
        "answer += [reading._standing.may_be_asked(), reading._standing.may_be_asked()]"
    )

    assert answer == [True, False, True, True]


def test_a_replica_that_stops_between_two_reads_fails_none_of_them(pair: Pair) -> None:
    stop = (
        f"subprocess.run(['sh', '-c', 'kill -INT $(head -1 {pair.standby.data}/postmaster.pid)'], check=True)"
    )
    answer, _ = pair.run(
        "import subprocess, time\nanswer = [reading.replica_rows(WHERE)[0][0]]\n"
        f"{stop}\ntime.sleep(1)\nanswer.append(reading.replica_rows(WHERE)[0][0])\n"
        "reading._standing.away_until = 0\nstop = time.monotonic() + 20\n"
        "while reading.read_alias() != 'replica' and time.monotonic() < stop:\n"
        "    time.sleep(0.2); reading._standing.away_until = 0\n"
        "answer.append(reading.replica_rows(WHERE)[0][0])"
    )

    assert answer[0] is True
    assert answer[2] is True
    assert len(answer) == 3
