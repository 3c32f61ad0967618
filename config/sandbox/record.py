"""The sandbox's own books: SQLite in WAL, everything of one tick of the event loop in one commit.

Handlers read and write through one connection inside the tick's open transaction and then wait for
`committed()`. So an answer leaves only after the commit that holds its effect, and hundreds of requests share
one commit. The process may be killed at any time: what was answered is on record. (A power cut may lose the
last commits, as `synchronous=NORMAL` does not wait for the disk.)
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS intent (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, reference TEXT NOT NULL,
    status TEXT NOT NULL, amount INTEGER NOT NULL, received INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS intent_by_reference ON intent (reference);
CREATE TABLE IF NOT EXISTS charge (
    id TEXT PRIMARY KEY, intent TEXT NOT NULL, capture_before REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS charge_by_end ON charge (capture_before);
CREATE TABLE IF NOT EXISTS refund (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, intent TEXT NOT NULL,
    status TEXT NOT NULL, amount INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS refund_by_intent ON refund (intent);
CREATE TABLE IF NOT EXISTS dispute (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, intent TEXT NOT NULL,
    status TEXT NOT NULL, amount INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS dispute_by_intent ON dispute (intent);
CREATE TABLE IF NOT EXISTS shipment (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, reference TEXT NOT NULL,
    status TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS shipment_by_reference ON shipment (reference);
CREATE INDEX IF NOT EXISTS shipment_to_move ON shipment (status, seq)
    WHERE status IN ('booked', 'in_transit');
CREATE TABLE IF NOT EXISTS answer (
    scope TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (scope, key));
CREATE TABLE IF NOT EXISTS effect (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL, kind TEXT NOT NULL, object TEXT NOT NULL,
    amount INTEGER NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS effect_by_reference ON effect (reference);
CREATE TABLE IF NOT EXISTS attempt (
    reference TEXT NOT NULL, operation TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (reference, operation)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS strike (
    rule TEXT NOT NULL, operation TEXT NOT NULL, reference TEXT NOT NULL, count INTEGER NOT NULL,
    first_at REAL NOT NULL, PRIMARY KEY (rule, operation, reference)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS script (
    id INTEGER PRIMARY KEY AUTOINCREMENT, operation TEXT NOT NULL, reference TEXT NOT NULL,
    action TEXT NOT NULL, params TEXT NOT NULL, times INTEGER, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
"""
TABLES = (
    "intent", "charge", "refund", "dispute", "shipment", "answer", "effect", "attempt", "strike", "script", "meta",
)  # fmt: skip


class Record:
    """One SQLite file. Use it from one event loop only."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=2, isolation_level=None, cached_statements=256)
        try:
            self._prepare()
        except sqlite3.OperationalError as error:
            raise OSError(f"{path}: {error} (does another sandbox hold it?)") from error
        self._waiting: list[asyncio.Future[None]] = []
        self._scheduled = False

    def _prepare(self) -> None:
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")  # one process a file, and fewer system calls
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        self._db.executescript(SCHEMA)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read, seeing what this tick has written so far."""
        return self._db.execute(sql, params).fetchall()

    def row(self, sql: str, params: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Read the first row, or None."""
        found: tuple[Any, ...] | None = self._db.execute(sql, params).fetchone()
        return found

    def write(self, sql: str, params: Sequence[Any] = ()) -> None:
        """Write within this tick's transaction; durable when `committed()` returns."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(sql, params)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._commit)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Everything written inside, or nothing of it when an error leaves the block."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("SAVEPOINT act")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO act")
            raise
        finally:
            self._db.execute("RELEASE act")

    async def committed(self) -> None:
        """Return when everything written so far is on record."""
        if not self._db.in_transaction:
            return
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._commit)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter

    def _commit(self) -> None:
        self._scheduled = False
        waiting, self._waiting = self._waiting, []
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Forget everything, in this tick's transaction."""
        for table in TABLES:
            self.write(f"DELETE FROM {table}")  # noqa: S608 - the names are the constants above

    def close(self) -> None:
        """Commit what is pending and let the file go."""
        if self._db.in_transaction:
            self._commit()
        self._db.close()
