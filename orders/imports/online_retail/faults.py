"""Why an invoice as a whole is left out."""

from __future__ import annotations


class Contradictory(Exception):
    """The invoice states what cannot be. `code` is the stable reason under which its rows are reported."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
