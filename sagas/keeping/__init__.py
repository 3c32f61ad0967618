"""The loops of the `keep` process, one file each. Any number may run; a pass is a bounded batch on rows."""

from sagas.keeping import (
    answers,
    circuits,
    deadlines,
    erasures,
    inbox,
    intents,
    relay,
    rescue,
    retention,
    sweep,
)

__all__ = [
    "answers",
    "circuits",
    "deadlines",
    "erasures",
    "inbox",
    "intents",
    "relay",
    "rescue",
    "retention",
    "sweep",
]
