"""What an error may say where it is kept or shown: its words, without the rows and values a database quotes.

An order's rows tell nothing about anybody, a person's row tells everything, and an error text cannot be erased.
"""

from __future__ import annotations

import re
from typing import Any

#: What the driver adds below the message, each on lines of its own: the row, the statement, the place in it.
QUOTED = re.compile(r"\n?^(?:DETAIL|CONTEXT|QUERY|STATEMENT): .*$|\n?^LINE \d+: .*\n? *\^?", re.MULTILINE)
_MARKS = ("DETAIL:", "CONTEXT:", "QUERY:", "STATEMENT:", "LINE ")


def unquoted(text: str) -> str:
    """The text without what a database error quotes."""
    return QUOTED.sub("", text) if any(mark in text for mark in _MARKS) else text


def words_of(error: BaseException) -> str:
    """An error in one line or few: its class and its words."""
    return f"{type(error).__name__}: {unquoted(str(error))}"


def all_unquoted(value: Any) -> Any:
    """The same for every text in a nested value, such as a log record or a report of an error."""
    if isinstance(value, str):
        return unquoted(value)
    if isinstance(value, dict):
        return {key: all_unquoted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(all_unquoted(inner) for inner in value) if type(value) in (list, tuple) else value
    return value
