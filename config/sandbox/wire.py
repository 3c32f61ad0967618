"""Replies, errors and request bodies, in the shapes the two providers speak."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol
from urllib.parse import parse_qsl

from aiohttp import web

MOST_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Reply:
    """An answer before it is sent. `body` is JSON text, so a stored answer is replayed byte for byte."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_response(self, *, replayed: bool = False) -> web.Response:
        headers = dict(self.headers)
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        return web.Response(
            status=self.status, text=self.body, content_type="application/json", headers=headers or None
        )


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON reply."""
    return Reply(status, json.dumps(body, separators=(",", ":")), headers)


class Turned(Exception):
    """Leave a handler with this reply; nothing it wrote is kept."""

    def __init__(self, answer: Reply) -> None:
        self.answer = answer
        super().__init__(answer.body)


class ErrorShape(Protocol):
    """How one provider words an error: `shape(status, code, message, **details)`."""

    def __call__(self, status: int, code: str, message: str, **details: Any) -> Reply: ...


def gateway_error(status: int, code: str, message: str, **details: Any) -> Reply:
    """A Stripe error object. `details` may set type, decline_code, param, payment_intent; some have no code."""
    default = "invalid_request_error" if status < 429 else "api_error"
    error = {"type": details.pop("type", default), "code": code, "message": message, **details}
    return reply({"error": {name: value for name, value in error.items() if value != ""}}, status)


def carrier_error(status: int, code: str, message: str, **details: Any) -> Reply:
    """The carrier's error object."""
    return reply({"error": {"code": code, "message": message, **details}}, status)


def _nest(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`metadata[reference]=X` becomes {"metadata": {"reference": "X"}}, to any depth; `a[]` and `a[0]` make lists."""
    result: dict[str, Any] = {}
    for name, value in pairs:
        head, _, rest = name.partition("[")
        inner = rest.removesuffix("]")
        if not rest:
            result[head] = value
        elif inner == "" or inner.isdigit():
            result.setdefault(head, []).append(value)
        else:
            *outer, last = inner.split("][")
            into = result.setdefault(head, {})
            for part in outer:
                into = into.setdefault(part, {})
            into[last] = value
    return result


async def read_form(request: web.Request) -> dict[str, Any]:
    """The body of a gateway call, form-encoded as the official client sends it, or JSON."""
    text = await _read_text(request, gateway_error)
    if request.content_type == "application/json":
        return _object(text, gateway_error)
    try:
        return _nest(parse_qsl(text, keep_blank_values=True, max_num_fields=1000))
    except (ValueError, AttributeError, TypeError) as error:
        raise Turned(gateway_error(400, "parameter_unknown", f"The body cannot be read: {error}")) from error


async def read_json(request: web.Request, shape: Callable[..., Reply] = carrier_error) -> dict[str, Any]:
    """The body of a JSON call: an object, or nothing. Anything else is turned away with a 400."""
    return _object(await _read_text(request, shape), shape)


async def _read_text(request: web.Request, shape: Callable[..., Reply]) -> str:
    try:
        return (await request.read()).decode()
    except UnicodeDecodeError as error:
        raise Turned(shape(400, "body_unreadable", "The body is not UTF-8.")) from error


def _object(text: str, shape: Callable[..., Reply]) -> dict[str, Any]:
    try:
        data = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise Turned(shape(400, "body_unreadable", "The body is not JSON.")) from error
    if not isinstance(data, dict):
        raise Turned(shape(400, "body_unreadable", "The body is not a JSON object."))
    return data


def whole_number(value: Any, *, least: int = 0, most: int = 2**53) -> int | None:
    """The integer a parameter holds (forms send text), or None when it holds none within the limits."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        number = int(value)
    except ValueError:
        return None
    return number if least <= number <= most else None


def fingerprint(request: web.Request, params: Mapping[str, Any]) -> str:
    """What makes two requests the same one: method, path and parameters."""
    text = f"{request.method} {request.path} {json.dumps(params, sort_keys=True)}"
    return blake2b(text.encode(), digest_size=16).hexdigest()
