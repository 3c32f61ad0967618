"""What a call heard on the wire, for whoever watches over it: the breaker judges by this, not by an adapter's words.

A refusal is an answer: the provider is well. Silence, a broken connection, its own failures and being sent away (429)
count against it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

#: Statuses by which a provider says that it will not talk to us now, whatever we ask.
SHUT = frozenset({401, 403, 429})


@dataclass
class Wire:
    """What one call heard. `wait_seconds` is the longest time that it was asked to leave the provider alone for."""

    answered: int = 0
    failed: int = 0
    wait_seconds: float = 0.0

    def status(self, status: int, wait_seconds: float | None) -> None:
        """An answer came."""
        if status < 500 and status not in SHUT:
            self.answered += 1
            return
        self.failed += 1
        self.wait_seconds = max(self.wait_seconds, wait_seconds or 0.0)

    def silence(self) -> None:
        """No answer came, or none that could be read."""
        self.failed += 1

    @property
    def heard(self) -> bool:
        """Whether anything was asked over the wire at all."""
        return bool(self.answered or self.failed)


_wire: ContextVar[Wire | None] = ContextVar("wire", default=None)


class listening:  # noqa: N801 - read as a verb: `with listening() as wire`
    """Collect what the calls of this block hear, in this thread."""

    __slots__ = ("_token", "_wire")

    def __enter__(self) -> Wire:
        self._wire = Wire()
        self._token = _wire.set(self._wire)
        return self._wire

    def __exit__(self, *_: object) -> None:
        _wire.reset(self._token)


def current() -> Wire:
    """Where a client tells what it heard. Of no effect when nobody listens."""
    return _wire.get() or Wire()
