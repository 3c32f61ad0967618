"""Long columns for set-based statements, sent as one text each and taken apart in the database.

Quoting an array element by element costs more than the statement that uses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SEPARATOR, MISSING = "\x1e", "\x1d"

#: A placeholder for one column. Nothing and the empty text arrive as NULL.
COLUMN = "string_to_array(%s, E'\\x1e', E'\\x1d')"


def packed(values: Iterable[Any]) -> str:
    """One column as one text. Its values may not hold control characters."""
    return SEPARATOR.join(MISSING if value is None or value == "" else str(value) for value in values)
