"""Doorbells: "there may be work". Losing, doubling or delaying one changes nothing but latency.

A bell that rings already is not rung again: a key with a short life says that a message is on its way or a
worker is at it. The worker holds the key while it works, lets go, and then looks once more.

In a web process a thread rings, so that no request waits for the broker. It rings after the commit it was told of,
so what it leaves out, because it was told the same again before it came to it, is of no use to anybody.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection
from functools import lru_cache

import redis
import structlog
from celery import current_app
from celery.exceptions import CeleryError
from django.conf import settings
from kombu.exceptions import KombuError

logger = structlog.get_logger(__name__)

#: How long a bell may be held without a sign of life.
HOLD_MS = 10_000
#: After a failure, how long not to knock at a dead broker again.
QUIET_SECONDS = 1.0

BROKER_ERRORS = (redis.RedisError, KombuError, CeleryError, OSError)


class _Quiet:
    """Until when a dead broker is left alone."""

    until = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self.until

    def begin(self) -> None:
        self.until = time.monotonic() + QUIET_SECONDS


_quiet = _Quiet()


@lru_cache(maxsize=1)
def _client(pid: int) -> redis.Redis:
    del pid  # one client per process: sockets must not cross a fork
    return redis.Redis.from_url(settings.WAYBILL.redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)


def _bells() -> redis.Redis:
    return _client(os.getpid())


def _key(name: str) -> str:
    return f"waybill:bell:{name}"


def ring(*names: str) -> bool:
    """Tell the workers that there may be work for these tasks. False if the broker could not be told."""
    if settings.WAYBILL.role == "web":
        _ringer(os.getpid()).tell(names)
        return True
    return ring_now(names)


def ring_now(names: Collection[str]) -> bool:
    """Ring those that do not ring already, in one round trip. False if the broker could not be told."""
    if _quiet.is_on() or not names:
        return False
    try:
        for name, silent in zip(names, _take(names), strict=True):
            if silent:
                current_app.send_task(name, queue=queue_of(name), ignore_result=True)
    except BROKER_ERRORS as error:
        _quiet.begin()
        logger.warning("bell_not_rung", bells=sorted(names), error=type(error).__name__)
        return False
    return True


def _take(names: Collection[str]) -> list[bool | None]:
    with _bells().pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.set(_key(name), "rung", nx=True, px=HOLD_MS)
        taken: list[bool | None] = pipeline.execute()
    return taken


def take(name: str) -> bool:
    """Whether bell `name` was silent; it counts as rung from now on, so the caller must send a message that answers it.

    False as well if the broker cannot be reached.
    """
    if _quiet.is_on():
        return False
    try:
        return bool(_take([name])[0])
    except BROKER_ERRORS as error:
        _quiet.begin()
        logger.warning("bell_not_rung", bells=[name], error=type(error).__name__)
        return False


class Ringer(threading.Thread):
    """Rings what it was told to, all that came while it was ringing at once."""

    def __init__(self) -> None:
        super().__init__(name="ringer", daemon=True)
        self._told: set[str] = set()
        self._news = threading.Condition()

    def tell(self, names: Collection[str]) -> None:
        """Have these rung soon. Never waits for the broker."""
        with self._news:
            self._told.update(names)
            self._news.notify()

    def run(self) -> None:
        while True:
            names = self._told_so_far()
            try:
                ring_now(names)
            except Exception:  # a mistake of ours must not silence all bells to come
                logger.exception("ringer_failed", bells=sorted(names))

    def _told_so_far(self) -> set[str]:
        with self._news:
            self._news.wait_for(lambda: self._told)
            names, self._told = self._told, set()
        return names


@lru_cache(maxsize=1)
def _ringer(pid: int) -> Ringer:
    del pid  # one per process: threads do not cross a fork
    ringer = Ringer()
    ringer.start()
    return ringer


def hold(name: str) -> None:
    """Keep others from ringing `name` while this worker is at it. Renew at least every few seconds."""
    _quietly("set", _key(name), "held", px=HOLD_MS)


def let_go(name: str) -> None:
    """Let `name` be rung again. Look for work once more after this."""
    _quietly("delete", _key(name))


def queue_of(name: str) -> str:
    """The queue of a task: the app that owns it."""
    return name.partition(".")[0]


def _quietly(command: str, *args: object, **options: object) -> None:
    # Without a broker there is nobody to hold off: the sweep finds the work.
    if _quiet.is_on():
        return
    try:
        getattr(_bells(), command)(*args, **options)
    except BROKER_ERRORS as error:
        logger.warning("bell_not_reached", bell=name_of(args), error=type(error).__name__)


def name_of(args: tuple[object, ...]) -> str:
    """The bell's name in a command's arguments, for the log."""
    return str(args[0]) if args else ""


def call_help(name: str) -> None:
    """Ask one more worker to join at `name`, although one is at it. At most once a second."""
    if _quiet.is_on():
        return
    try:
        if _bells().set(f"waybill:help:{name}", "called", nx=True, px=1_000):
            current_app.send_task(name, queue=queue_of(name), ignore_result=True)
    except BROKER_ERRORS as error:
        logger.warning("help_not_called", bell=name, error=type(error).__name__)
