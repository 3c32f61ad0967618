"""Small states that all workers change by the same pure rules: in Valkey or Redis, each change atomic.

A change reads, decides in Python and swaps in what it made, if nobody was quicker; or else decides anew. The server's
clock is the clock, so that hosts may disagree. When the server is gone, each process goes on alone with what it knew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import msgspec
import redis
import structlog

logger = structlog.get_logger(__name__)

S = TypeVar("S")
A = TypeVar("A")

#: A state that nobody has touched for so long is forgotten, and begins anew.
KEPT_SECONDS = 86_400
#: After a failure, how long the server is left alone.
QUIET_SECONDS = 1.0
#: How often a change is decided anew because others were quicker, before it is given up.
MOST_TURNS = 50

READ = """
local t = redis.call('TIME')
return {redis.call('GET', KEYS[1]) or '', t[1], t[2]}
"""
SWAP = """
local found = redis.call('GET', KEYS[1]) or ''
local t = redis.call('TIME')
if found == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return {1, ARGV[2], t[1], t[2]}
end
return {0, found, t[1], t[2]}
"""


class StoreGone(Exception):
    """The server cannot be reached. Nothing is known to have changed."""


@dataclass(frozen=True)
class Seen:
    """What stood there, and what the store's clock said."""

    raw: bytes
    now: float


class Store(Protocol):
    """Where states stand. Raises StoreGone."""

    def read(self, key: str) -> Seen:
        """What stands there; empty when nothing does."""
        ...

    def swap(self, key: str, old: bytes, new: bytes) -> tuple[bool, Seen]:
        """Put `new` where `old` stands. Whether it did, and what stands there now."""
        ...


class ValkeyStore:
    """Valkey or Redis. `client` gives this process's own connection."""

    def __init__(self, client: Callable[[], redis.Redis], *, prefix: str = "waybill:") -> None:
        self._client = client
        self._prefix = prefix

    def read(self, key: str) -> Seen:
        raw, seconds, micros = self._run(READ, key)
        return Seen(raw, _time(seconds, micros))

    def swap(self, key: str, old: bytes, new: bytes) -> tuple[bool, Seen]:
        done, raw, seconds, micros = self._run(SWAP, key, old, new, KEPT_SECONDS)
        return bool(done), Seen(raw, _time(seconds, micros))

    def _run(self, script: str, key: str, *args: bytes | int) -> list[bytes]:
        try:
            answer: list[bytes] = self._client().register_script(script)(keys=[self._prefix + key], args=args)
        except (redis.RedisError, OSError) as error:
            raise StoreGone(type(error).__name__) from error
        return answer


def _time(seconds: bytes, micros: bytes) -> float:
    return int(seconds) + int(micros) / 1e6


class LocalStore:
    """This process alone. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kept: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def read(self, key: str) -> Seen:
        return Seen(self._kept.get(key, b""), self._clock())

    def swap(self, key: str, old: bytes, new: bytes) -> tuple[bool, Seen]:
        with self._lock:
            found = self._kept.get(key, b"")
            if found == old:
                self._kept[key] = found = new
                return True, Seen(new, self._clock())
            return False, Seen(found, self._clock())

    def forget(self, key: str) -> None:
        """Let it go. Without it nothing happens."""
        self._kept.pop(key, None)


class Kept(Generic[S]):
    """One state under one key, with a mirror of what was seen last in this process."""

    def __init__(self, key: str, kind: type[S], store: Store, alone: LocalStore | None = None) -> None:
        self.key = key
        self._kind = kind
        self._store = store
        self._alone = alone or LocalStore()
        self._quiet_until = 0.0
        self._empty = kind()
        self._mirror: tuple[S, float, float] = (self._empty, 0.0, float("-inf"))

    @property
    def is_alone(self) -> bool:
        """Whether the server could not be reached the last time, so that this process knows only its own calls."""
        return bool(self._quiet_until)

    def mirror(self) -> tuple[S, float, float]:
        """The state seen last, the store's time now, and the age of what was seen, in seconds. Asks nobody."""
        state, now, at = self._mirror
        age = time.monotonic() - at
        return state, now + age, age

    def look(self) -> tuple[S, float]:
        """The state, and the store's time."""
        return self.change(lambda state, now: (state, (state, now)))

    def change(self, rule: Callable[[S, float], tuple[S, A]]) -> A:
        """Change the state by a pure rule, which may run more than once. The rule's answer."""
        if time.monotonic() >= self._quiet_until:
            try:
                answer = self._change(self._store, rule)
            except StoreGone as error:
                self._go_alone(error)
            else:
                self._come_back()
                return answer
        return self._change(self._alone, rule)

    def _change(self, store: Store, rule: Callable[[S, float], tuple[S, A]]) -> A:
        seen = store.read(self.key)
        for _ in range(MOST_TURNS):
            state = self._decoded(seen.raw)
            after, answer = rule(state, seen.now)
            done = after == state
            if not done:
                done, seen = store.swap(self.key, seen.raw, msgspec.json.encode(after))
            if done:
                self._mirror = (after, seen.now, time.monotonic())
                return answer
        logger.warning("shared_state_contended", key=self.key)
        return answer

    def _decoded(self, raw: bytes) -> S:
        """What another release wrote and this one cannot read counts as nothing."""
        try:
            return msgspec.json.decode(raw, type=self._kind) if raw else self._empty
        except (msgspec.DecodeError, msgspec.ValidationError):
            return self._empty

    def _go_alone(self, error: Exception) -> None:
        if not self.is_alone:
            logger.warning("shared_state_alone", key=self.key, error=str(error))
            self._alone.forget(self.key)
            self._alone.swap(self.key, b"", msgspec.json.encode(self._mirror[0]))
        self._quiet_until = time.monotonic() + QUIET_SECONDS

    def _come_back(self) -> None:
        if self.is_alone:
            logger.info("shared_state_back", key=self.key)
            self._quiet_until = 0.0
