"""Movements line by line: each is answered for itself, and a bad one stops no other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from inventory.api.serializers import MovementIn
from inventory.commands import MoveStock, record_movements
from sagas.verdicts import Answer, Done
from sagas.web.bodies import as_text, load
from sagas.web.problems import Problem

#: So many movements share a commit.
CHUNK = 500
MOST_LINES = 20_000


@dataclass(frozen=True)
class Line:
    """One line as it was read: a movement to make, or the answer that it cannot be."""

    number: int
    key: str | None
    move: MoveStock | None
    code: str = ""
    detail: str = ""

    def answer(self, verdict: Answer | None) -> dict[str, Any]:
        """What the shop is told about this line."""
        told: dict[str, Any] = {"line": self.number, "key": self.key}
        if isinstance(verdict, Done):
            return told | {"status": "recorded", **verdict.result}
        if verdict is None:
            return told | {"status": "invalid", "code": self.code, "detail": self.detail}
        return told | {"status": "refused", "code": verdict.code, "detail": verdict.detail}


def record_lines(sent: Sequence[bytes], shop_id: UUID, *, now: datetime) -> Iterator[dict[str, Any]]:
    """Record the movements and answer each line, in order. Safe to repeat: the first answer is given again.

    Movements are committed some hundreds at a time; if that fails, the lines before it are recorded.
    """
    if len(sent) > MOST_LINES:
        raise Problem(413, "api.body_too_large", f"A request may have {MOST_LINES} lines at most.")
    lines = [read_line(number, text, shop_id) for number, text in enumerate(sent, start=1)]
    for start in range(0, len(lines), CHUNK):
        yield from _record(lines[start : start + CHUNK], now)


def read_line(number: int, text: bytes, shop_id: UUID) -> Line:
    """Check one line by itself."""
    try:
        document = load(as_text(text))
    except Problem as problem:
        return Line(number, None, None, problem.code, problem.detail)
    sent = MovementIn(data=document)
    if sent.is_valid():
        return Line(number, sent.validated_data["key"], sent.command(shop_id))
    key = document.get("key") if isinstance(document, dict) else None
    detail = json.dumps(sent.errors)[:500]
    return Line(number, key if isinstance(key, str) else None, None, "api.invalid", detail)


def _record(lines: Sequence[Line], now: datetime) -> Iterator[dict[str, Any]]:
    moves = [line.move for line in lines if line.move is not None]
    with transaction.atomic():
        verdicts = iter(record_movements(moves, now=now) if moves else [])
    for line in lines:
        yield line.answer(next(verdicts) if line.move is not None else None)
