"""How an app reads what came in: it looks at its own rows, asks the provider, and writes down what that says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sagas.circuits import Aside


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as it is read. `body` is what the provider sent; `attempts` counts this reading too."""

    id: UUID
    source: str
    event_id: str
    type: str
    object_id: str
    meaning: str
    body: bytes
    occurred_at: datetime
    expires_at: datetime
    attempts: int


@dataclass(frozen=True)
class Fate:
    """What becomes of a message. `code` says why, in a stable word."""

    code: str
    state: ClassVar[str] = ""


class Applied(Fate):
    """What the provider says now is in our rows, or the step at work on it was woken to ask."""

    state = "applied"


class Ignored(Fate):
    """There is nothing new in it."""

    state = "ignored"


class Later(Fate):
    """Its object is known, and somebody is at it or could not be asked just now: it is read again soon."""

    state = "matched"


class Unmatched(Fate):
    """Its object does not exist here yet."""

    state = "unmatched"


@dataclass(frozen=True)
class Question:
    """The provider has to be asked about an object. Messages with the same question share one call."""

    about: str
    payload: dict[str, Any] = field(default_factory=dict, compare=False)


class Reader(ABC):
    """An app's reading of its sources. `look` and `apply` run in short transactions, `ask` in a thread.

    A reader is told of a message at least once, in any order, also at the same time as other readers. So
    `apply` decides by locked rows and by what the provider said, never by the message.
    """

    #: What its questions ask. While that circuit is open nothing is read: messages stay due, and count no reading.
    asks: ClassVar[Aside | None] = None

    @abstractmethod
    def look(self, messages: Sequence[Incoming], *, now: datetime) -> Sequence[Fate | Question]:
        """Compare messages with our rows; one answer each. Writes nothing but wake-ups."""

    @abstractmethod
    def ask(self, question: Question) -> Any:
        """Make the call and nothing else, outside any transaction."""

    @abstractmethod
    def apply(self, answers: Sequence[tuple[Question, Any]], *, now: datetime) -> Sequence[Fate]:
        """Write what the provider said, in the transaction that settles the messages; one fate per question."""


_readers: dict[str, Reader] = {}


def register_reader(task: str, reader: Reader) -> None:
    """Have `reader` read, in the Celery task of this name, the sources that name it. Raises ValueError when taken."""
    if task in _readers:
        raise ValueError(f"Reader {task} is registered twice.")
    _readers[task] = reader


def unregister_reader(task: str) -> None:
    """Forget a reader (for tests that make their own)."""
    _readers.pop(task, None)


def get_reader(task: str) -> Reader:
    """The reader of that name. Raises KeyError when this code has none."""
    return _readers[task]


def reader_names() -> list[str]:
    """The names of all readers: of their tasks."""
    return sorted(_readers)
