"""Request bodies, read strictly: bounded, UTF-8, nothing that two readers could understand differently."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from sagas.web.problems import Problem

MEGABYTE = 1024 * 1024
#: What is read and thrown away of a body that is too large, so that its sender gets to see the answer.
DRAINED_AT_MOST = 64 * MEGABYTE
DEEPEST = 20
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class StrictJson(BaseParser):
    """One JSON document in UTF-8, at most 4 MiB. No NaN, no name given twice, nothing deeper than 20."""

    media_type = "application/json"
    most_bytes = 4 * MEGABYTE

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        del media_type
        return load(as_text(read_bounded(stream, parser_context, self.most_bytes)))


class Lines(BaseParser):
    """NDJSON: one document per line, at most 8 MiB. The lines come as bytes, blank ones left out."""

    media_type = "application/x-ndjson"
    most_bytes = 8 * MEGABYTE

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        del media_type
        body = read_bounded(stream, parser_context, self.most_bytes)
        return [line for line in body.split(b"\n") if line.strip()]


def load(text: str) -> Any:
    """The document in a text. Raises Problem 400 for what is not strictly JSON."""
    try:
        found = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)
        if SURROGATE_ESCAPE.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise Problem(400, "api.malformed_json", str(error)[:200]) from error
    _check_depth(found, DEEPEST)
    return found


def as_text(body: bytes) -> str:
    """UTF-8, nothing else."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "api.malformed_json", f"Byte {error.start} is not UTF-8.") from error


def read_bounded(stream: IO[Any], context: Mapping[str, Any] | None, most: int) -> bytes:
    """The whole body. Raises Problem 413 if it is larger than `most`, without keeping it."""
    request = (context or {}).get("request")
    announced = str(request.META.get("CONTENT_LENGTH") or "0") if request is not None else "0"
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(stream, most)
    body: bytes = stream.read(most + 1)
    if len(body) > most:
        raise _too_large(stream, most)
    return body


def _too_large(stream: IO[Any], most: int) -> Problem:
    left = DRAINED_AT_MOST
    while left > 0 and (chunk := stream.read(min(left, MEGABYTE))):
        left -= len(chunk)
    return Problem(413, "api.body_too_large", f"The body may have {most} bytes at most.")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name is given twice in one object.")
    return found


def _check_depth(value: Any, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if left == 0:
        raise _too_deep()
    for item in value.values() if isinstance(value, dict) else value:
        _check_depth(item, left - 1)


def _too_deep() -> Problem:
    return Problem(400, "api.malformed_json", f"Nested deeper than {DEEPEST}.")
