"""Where an embedded run keeps its things, and the lock that keeps two runs apart. Imports no Django."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parents[2]
DATABASE_NAME = "waybill"


class StateBusy(Exception):
    """Another run holds this state. The message tells which, and what to do."""


class StateUnusable(Exception):
    """The folder cannot serve: the message says why."""


@dataclass(frozen=True)
class Account:
    """The operating system's account that PostgreSQL runs under when we are root (it refuses to be root)."""

    name: str
    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """True when the account may pass through every folder down to this one."""
        return all(self._may_pass(step) for step in (folder, *folder.parents) if step.exists())

    def _may_pass(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def database_account() -> Account | None:
    """None for an ordinary user, who runs PostgreSQL as themselves; `nobody` for root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def state_root() -> Path:
    """The state folder: `WAYBILL_STATE`, else `.waybill` beside manage.py."""
    return Path(os.environ.get("WAYBILL_STATE") or BASE_DIR / ".waybill").expanduser().absolute()


@dataclass(frozen=True)
class State:
    """One state folder. All is derived from its path, so that another shell finds what runs on it."""

    root: Path

    @classmethod
    def current(cls) -> State:
        return cls(state_root())

    @property
    def mark(self) -> str:
        """A short name of this folder, the same in every shell."""
        return f"{os.getuid()}-{hashlib.sha256(str(self.root).encode()).hexdigest()[:10]}"

    @property
    def runtime(self) -> Path:
        """Short folder for sockets: their paths may not be longer than 107 bytes."""
        base = Path("/tmp")  # noqa: S108 - must be short and the same in every shell; ownership is checked
        return (base if base.is_dir() else Path(tempfile.gettempdir())) / f"waybill-{self.mark}"

    @property
    def postgres_socket(self) -> Path:
        return self.runtime / "pg"

    @property
    def valkey_socket(self) -> Path:
        return self.runtime / "valkey.sock"

    @property
    def database_url(self) -> str:
        return f"postgresql:///{DATABASE_NAME}?host={self.postgres_socket}&user=postgres"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.valkey_socket}?db=0"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics"

    @property
    def processes(self) -> Path:
        return self.root / "processes"

    @property
    def fallback(self) -> Path:
        """Where the cluster lies when the database's account cannot reach the state folder."""
        return Path("/var/tmp") / f"waybill-{self.mark}"  # noqa: S108 - created with a checked owner

    def prepare(self) -> None:
        """Create the folders. Safe to repeat."""
        for folder in (self.root, self.logs, self.metrics, self.processes):
            folder.mkdir(parents=True, exist_ok=True)
        own_folder(self.runtime, mode=0o711)
        self.secret_key()

    def database_home(self) -> Path:
        """Where the cluster lies: in the state folder, unless the database's account cannot enter."""
        account = database_account()
        if account is None or account.can_enter(self.root):
            return self.root
        own_folder(self.fallback, mode=0o711)
        return self.fallback

    def secret_key(self) -> str:
        """Django's signing key of this state, made once and readable by its owner only."""
        return self._kept_secret("secret_key", "")

    def webhook_secret(self) -> str:
        """What the sandbox signs its webhooks with, made once and readable by its owner only."""
        return self._kept_secret("webhook_secret", "whsec_")

    def noted_secret(self) -> str:
        """The signing key if this state has one; empty before the first run."""
        return self._noted_secret("secret_key")

    def noted_webhook_secret(self) -> str:
        """The sandbox's webhook secret if this state has one; empty before the first run."""
        return self._noted_secret("webhook_secret")

    def _kept_secret(self, name: str, prefix: str) -> str:
        file = self.root / name
        if not file.exists():
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                out.write(prefix + secrets.token_urlsafe(50))
        return file.read_text()

    def _noted_secret(self, name: str) -> str:
        file = self.root / name
        return file.read_text() if os.access(file, os.R_OK) else ""

    def note(self, **facts: Any) -> None:
        """Remember facts of the running system (addresses) for other shells."""
        replace_text(self.root / "running.json", json.dumps(self.noted() | facts, indent=2))

    def noted(self) -> dict[str, Any]:
        """What the running system noted last; empty when there is nothing."""
        try:
            facts = json.loads((self.root / "running.json").read_text())
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
            return {}
        return facts if isinstance(facts, dict) else {}

    @contextmanager
    def locked(self, purpose: str) -> Iterator[None]:
        """Hold this state for one run; the lock dies with its holder. Raises StateBusy naming who has it."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateBusy(self._who_holds(file.name)) from None
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()} {purpose}")
            file.flush()
            yield
            file.seek(0)
            file.truncate()

    def holder(self) -> tuple[int, str] | None:
        """The pid and purpose of the run that holds this state, or None when it is free."""
        file = self.root / "lock"
        if not file.exists():
            return None
        with file.open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, _, purpose = file.read_text().partition(" ")
                return int(pid or 0), purpose
        return None

    def _who_holds(self, lock: str) -> str:
        pid, _, purpose = Path(lock).read_text().partition(" ")
        return (
            f"{self.root} is in use by `{purpose or 'another run'}` (process {pid or 'unknown'}). "
            "Stop it with `make down`, or set WAYBILL_STATE to another folder."
        )

    def remove(self) -> None:
        """Delete everything this state holds. Only while the lock is held or nothing runs."""
        for folder in (self.fallback, self.runtime):
            if folder.exists():
                _refuse_foreign(folder)
                shutil.rmtree(folder)
        for entry in self.root.iterdir() if self.root.exists() else ():
            if entry.name == "lock":
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def own_folder(folder: Path, *, mode: int) -> None:
    """Create a folder that is surely ours, also below a folder everybody may write to. Safe to repeat."""
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_foreign(folder)
    folder.chmod(mode)


def replace_text(file: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, never half of one."""
    scratch = file.with_name(f"{file.name}.{os.getpid()}.new")
    scratch.write_text(text)
    scratch.replace(file)


def _refuse_foreign(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise StateUnusable(
            f"{folder} belongs to somebody else; remove it or set WAYBILL_STATE to another folder."
        )
