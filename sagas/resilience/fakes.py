"""What fake providers share: keys, scripts and a record of effects, in memory, in the sandbox's own words.

A fake keeps the promises of the sandbox without a process or a socket, for tests of one app.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sagas.resilience.asking import KeyReused
from sagas.verdicts import Refused, Unavailable, Unknown

T = TypeVar("T")
Outcome = Refused | Unavailable | Unknown
FOR_EVER = {"decline", "refuse"}


@dataclass
class Trouble:
    """One scripted behaviour. `left` counts down; None: each time."""

    action: str
    left: int | None
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        return str(self.params.get("code", ""))


class FakeProvider:
    """The common half of a fake gateway or carrier. Thread-safe."""

    def __init__(self, app: str) -> None:
        self.app = app
        self.attempts: Counter[tuple[str, str]] = Counter()
        self._effects: Counter[tuple[str, str]] = Counter()
        self._scripts: dict[tuple[str, str], list[Trouble]] = {}
        self._answers: dict[tuple[str, str], tuple[Hashable, Any]] = {}
        self._lock = threading.RLock()

    def script(
        self, operation: str, reference: str, action: str, *, times: int | None = None, **params: Any
    ) -> None:
        """Let the next calls of an operation on a reference meet this. Several are met one after another."""
        left = times if times is not None else (None if action in FOR_EVER else 1)
        self._scripts.setdefault((operation, reference), []).append(Trouble(action, left, params))

    def effects(self, reference: str) -> dict[str, int]:
        """How often each kind of thing really happened: holds, captures, labels, ..."""
        return {kind: count for (of, kind), count in self._effects.items() if of == reference}

    def forget_keys(self) -> None:
        """As a provider does after a day."""
        self._answers.clear()

    def note(self, reference: str, kind: str) -> None:
        """Count an effect."""
        self._effects[reference, kind] += 1

    def act(
        self,
        operation: str,
        reference: str,
        key: str,
        request: Hashable,
        do: Callable[[Trouble | None], T | Refused],
    ) -> T | Outcome:
        """Do it once per key, with whatever is scripted. Raises KeyReused."""
        with self._lock:
            self.attempts[operation, reference] += 1
            trouble = self._next(operation, reference)
            early = self._before(trouble)
            if early is not None:
                return early
            if (operation, key) in self._answers:
                first, answer = self._answers[operation, key]
                if first != request:
                    raise KeyReused(f"the key of this {operation} was first used with another request")
                stored: T | Outcome = answer
                return stored
            result = self._do(trouble, do)
            lost = self._lost(trouble)
            replays_failure = (
                lost is not None and trouble is not None and trouble.params.get("status", 502) == 500
            )
            self._answers[operation, key] = (request, lost if replays_failure else result)
            return lost or result

    def _next(self, operation: str, reference: str) -> Trouble | None:
        for trouble in self._scripts.get((operation, reference), ()):
            if trouble.left is None:
                return trouble
            if trouble.left > 0:
                trouble.left -= 1
                return trouble
        return None

    def _before(self, trouble: Trouble | None) -> Outcome | None:
        if trouble is None:
            return None
        outcomes: dict[str, Outcome] = {
            "drop": Unknown(f"{self.app}.no_answer"),
            "rate_limit": Unavailable(f"{self.app}.provider_throttled"),
            "unavailable": Unavailable(f"{self.app}.provider_down"),
        }
        return outcomes.get(trouble.action)

    def _do(self, trouble: Trouble | None, do: Callable[[Trouble | None], T | Refused]) -> T | Refused:
        if trouble is not None and trouble.action == "refuse":
            return self.refusal(trouble)
        return do(trouble)

    def refusal(self, trouble: Trouble) -> Refused:
        """How this provider's adapter words a scripted refusal."""
        return Refused(f"{self.app}.{trouble.code}", trouble.code)

    def _lost(self, trouble: Trouble | None) -> Unknown | None:
        if trouble is not None and trouble.action == "do_then_drop":
            return Unknown(f"{self.app}.no_answer")
        if trouble is not None and trouble.action == "do_then_5xx":
            return Unknown(f"{self.app}.provider_failed", str(trouble.params.get("status", 500)))
        return None
