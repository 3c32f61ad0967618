"""A source and a reader of the inbox's own tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from sagas.clock import travel
from sagas.inbox.reader import (
    Fate,
    Ignored,
    Incoming,
    Question,
    Reader,
    register_reader,
    unregister_reader,
)
from sagas.inbox.signing import TimedHmac, signature
from sagas.inbox.sources import Notice, Source, Unreadable, register_source, unregister_source

SECRETS = ["whsec_new", "whsec_old"]
NAME, TASK, HEADER = "sagas.toybank", "sagas.toy_inbox", "X-Toy-Signature"


def read_notice(body: bytes) -> Notice:
    try:
        said = json.loads(body)
        at = datetime.fromtimestamp(said.get("at", 1_700_000_000), UTC)
        return Notice(event_id=said["id"], type=said["type"], object_id=said["object"],
                      meaning=f"{said['type']} {said.get('says', '')}", occurred_at=at)  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(type(error).__name__) from None


@dataclass
class ToyReader(Reader):
    """Answers as scripted: per object a fate or a question at each look, and what is said to each question."""

    fates: dict[str, list[Any]] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    looked: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, messages: Sequence[Incoming], *, now: datetime) -> Sequence[Fate | Question]:
        self.looked.extend(m.event_id for m in messages)
        return [self._next(m.object_id) for m in messages]

    def ask(self, question: Question) -> Any:
        with self.lock:
            self.asked.append(question.about)
        return self.says.get(question.about)

    def apply(self, answers: Sequence[tuple[Question, Any]], *, now: datetime) -> Sequence[Fate]:
        self.applied.extend(question.about for question, _ in answers)
        return [answer for _, answer in answers]

    def _next(self, object_id: str) -> Fate | Question:
        scripted = self.fates.get(object_id) or [Ignored("known")]
        fate = scripted.pop(0) if len(scripted) > 1 else scripted[0]
        if isinstance(fate, Exception):
            raise fate
        return fate


@pytest.fixture
def toys_inbox(transactional_db: None) -> Iterator[ToyReader]:
    """The reader of the toy bank, registered for one test."""
    travel(0)
    reader = ToyReader()
    register_reader(TASK, reader)
    register_source(
        Source(name=NAME, verifier=lambda: TimedHmac(SECRETS, HEADER), read=read_notice, reader=TASK)
    )
    yield reader
    unregister_source(NAME)
    unregister_reader(TASK)
    travel(0)


def body(event: str = "evt_1", *, says: str = "", kind: str = "toy.moved", about: str = "obj_1") -> bytes:
    return json.dumps({"id": event, "type": kind, "object": about, "says": says}).encode()


def signed(text: bytes, *, secret: str = SECRETS[0], at: float | None = None) -> str:
    stamp = str(int(datetime.now(UTC).timestamp() if at is None else at))
    return f"t={stamp},v1={signature(secret, stamp, text).decode()}"
