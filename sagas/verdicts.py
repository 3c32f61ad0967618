"""What a step may answer. Values in a batch, errors elsewhere.

Anything else that comes out of a handler is a bug: it is reported and that saga alone is parked.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class Done:
    """The step's effect exists. `result` may hold only what the step declared it gives."""

    result: dict[str, Any] = field(default_factory=dict)
    word: ClassVar[str] = "done"


class Verdict(Exception):
    """Base of the answers that are not Done. Equal by class, code and times, so tests can compare them."""

    word: ClassVar[str] = ""
    code: str = ""
    #: Not before then is it tried again, whatever the step's own backoff says.
    not_before: datetime | None = None
    #: Whether it uses up one of the step's tries. What a provider's outage costs does not.
    spends: bool = True

    def __init__(self, code: str = "", detail: str = "") -> None:
        self.code = code or self.code
        self.detail = detail
        super().__init__(f"{self.code}: {detail}" if detail else self.code)

    def saying(self, detail: str) -> Self:
        """The same answer with another detail."""
        other = copy(self)
        other.detail, other.args = detail, (f"{self.code}: {detail}",)
        return other

    def sparing(self, not_before: datetime) -> Self:
        """The same answer, but not one of the step's tries; it is tried again from then on."""
        other = copy(self)
        other.spends, other.not_before = False, not_before
        return other

    def _identity(self) -> tuple[object, ...]:
        return (self.word, self.code, self.detail)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verdict) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


class Refused(Verdict):
    """A business no: turn back. HTTP 409 outside a saga. Never retried."""

    word = "refused"
    code = "refused"


class Unavailable(Verdict):
    """Nothing was done and it may work later. HTTP 503 outside a saga. `retry_at` overrides the step's own backoff."""

    word = "unavailable"
    code = "unavailable"

    def __init__(self, code: str = "", detail: str = "", *, retry_at: datetime | None = None) -> None:
        super().__init__(code, detail)
        self.retry_at = retry_at


class Unknown(Verdict):
    """The provider may have done it. It must be asked before anything else happens to this step."""

    word = "unknown"
    code = "unknown"


class Waiting(Verdict):
    """Somebody outside has to act (3-D Secure, an approval, an address). Looked at again at `until`.

    `promised` is how long they were told they have: the saga's own deadline does not come before it.
    """

    word = "waiting"

    def __init__(
        self, for_: str, until: datetime, detail: str = "", *, promised: datetime | None = None
    ) -> None:
        super().__init__(for_, detail)
        self.until, self.promised = until, promised


class LostRace(Unavailable):
    """Another worker moved the object first. Looking again settles it."""

    code = "lost_race"


class IllegalMove(Refused):
    """The object's table of moves has no such move from where it stands."""

    code = "illegal_move"


class ConcurrencyConflict(Exception):
    """A stream already has the version that was to be appended. HTTP 409."""

    code = "concurrency_conflict"


Answer = Done | Verdict
