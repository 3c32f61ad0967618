"""From an HTTP exchange to a verdict: what every provider's adapter decides in the same way.

The rule that matters: a connection that broke after sending and a 5xx are *unknown* outcomes, never failures.
Only what proves that nothing was done is `Unavailable`: no connection, a 429, and a 503 that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sagas.resilience.http import Answer, NotSent, OutcomeUnknown, retry_after_seconds
from sagas.verdicts import Unavailable, Unknown

#: The code by which a provider states in a 503 that it did nothing.
NOTHING_DONE = "temporarily_unavailable"
KEY_IN_USE_SECONDS = 1.0
NOT_NOW = frozenset({401, 403, 408, 425, 429})


class KeyReused(Exception):
    """One idempotency key was used for two different requests. A bug of ours, so it is not a verdict."""


def utc_now() -> datetime:
    """The clock adapters use unless they are given another."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Asking:
    """Asks one provider on behalf of one app, whose name begins every code (`payments.no_answer`)."""

    app: str
    clock: Callable[[], datetime] = utc_now

    def act(self, exchange: Callable[[], Answer]) -> Answer | Unavailable | Unknown:
        """A call that changes something. An `Answer` is a 2xx or a 4xx that decides. Raises KeyReused."""
        try:
            answer = exchange()
        except NotSent as error:
            return Unavailable(f"{self.app}.provider_unreachable", str(error))
        except OutcomeUnknown as error:
            return Unknown(f"{self.app}.no_answer", str(error))
        return self._judged(answer)

    def read(self, exchange: Callable[[], Answer]) -> Answer | Unavailable:
        """A call that only reads: nothing can be unknown but the answer, so ask again later."""
        result = self.act(exchange)
        if isinstance(result, Unknown):
            return Unavailable(f"{self.app}.provider_unreachable", str(result))
        return result

    def _judged(self, answer: Answer) -> Answer | Unavailable | Unknown:
        code = error_of(answer).get("code", "")
        if answer.status == 409 and code == "idempotency_key_in_use":
            return self._later("key_in_use", answer, KEY_IN_USE_SECONDS)
        if answer.status == 409 and code == "idempotency_key_reused":
            raise KeyReused(f"{self.app}: {error_of(answer).get('message', code)}")
        if answer.status in NOT_NOW:
            return self._later("provider_throttled" if answer.status == 429 else "provider_closed", answer)
        if answer.status == 503 and code == NOTHING_DONE:
            return self._later("provider_down", answer)
        if 200 <= answer.status < 300 or 400 <= answer.status < 500:
            return answer
        return Unknown(f"{self.app}.provider_failed", str(answer.status))

    def _later(self, word: str, answer: Answer, least_seconds: float | None = None) -> Unavailable:
        now = self.clock()
        wait = retry_after_seconds(answer.headers, now=now)
        wait = least_seconds if wait is None else wait
        retry_at = None if wait is None else now + timedelta(seconds=wait)
        return Unavailable(f"{self.app}.{word}", f"HTTP {answer.status}", retry_at=retry_at)


def error_of(answer: Answer) -> Mapping[str, Any]:
    """The error object of an answer, empty when it has none."""
    found = answer.json.get("error") if isinstance(answer.json, dict) else None
    return found if isinstance(found, dict) else {}


def unreadable(app: str, error: Exception) -> Unknown:
    """A 2xx that does not say what it must: it was done, but not as we can understand (F22)."""
    return Unknown(f"{app}.mismatch", f"{type(error).__name__}: {error}")
