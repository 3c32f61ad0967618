"""Whole orders as they were recorded, to be replayed by every later version of the code."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from config.embedded.state import BASE_DIR
from sagas.events import load
from sagas.log import Recorded, Token

FOLDER = BASE_DIR / "tests" / "golden" / "streams"
STORIES = ("attention", "cancelled_after_capture", "completed", "partly_cancelled", "rejected", "returned")


def read(story: str) -> dict[str, Any]:
    """One file: `events` as they were stored, `order` as it must come out, `stands` after each event."""
    found: dict[str, Any] = json.loads((FOLDER / f"{story}.json").read_text(encoding="utf-8"))
    return found


def recorded(document: dict[str, Any]) -> list[Recorded]:
    """The events, as the log gives them."""
    return [_recorded(UUID(document["order"]["id"]), item) for item in document["events"]]


def _recorded(stream: UUID, item: dict[str, Any]) -> Recorded:
    event = load(item["type"], item["schema_version"], item["data"])
    metadata = {"actor": item["actor"], "reason": item["reason"]}
    token = Token(1, 1, item["version"])
    return Recorded(
        token, stream, item["version"], item["type"], event, metadata, datetime.fromisoformat(item["at"])
    )
