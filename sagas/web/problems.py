"""An answer other than the one asked for (RFC 9457)."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """Ends a request with `status` and a stable `code` that clients may branch on; `detail` is for people.

    `more` are members of their own in the answer. Raised inside a transaction it takes everything back.
    """

    def __init__(
        self, status: int, code: str, detail: str = "", *, retry_after_seconds: int | None = None, **more: Any
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.more = more


def not_found() -> Problem:
    """There is no such thing, or it is not this caller's: the two must look the same."""
    return Problem(404, "api.not_found", "There is nothing here that this token may see.")
