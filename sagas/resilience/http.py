"""The HTTP client of every provider. It never guesses: a call was answered, never left, or nobody knows.

Nothing that left is sent again here. Only a request that provably did not leave whole on a kept connection
(the other end had closed it meanwhile), or a GET, is tried once more on a fresh one. All other repeats belong
to the saga engine, which knows the idempotency key and whether the provider has to be asked first.

It knows no Django, may be shared by threads, survives a fork, and reads no proxy settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from time import monotonic
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from prometheus_client import Counter, Histogram

from sagas.resilience import hearing
from sagas.resilience.connections import Connection, Connections, NotSent, OutcomeUnknown, tls_context

__all__ = ["Answer", "HttpClient", "NotSent", "OutcomeUnknown", "flat", "retry_after_seconds"]

CALLS = Counter("waybill_provider_calls_total", "Calls to providers.", ["provider", "operation", "outcome"])
SECONDS = Histogram(
    "waybill_provider_call_seconds", "How long providers take.", ["provider", "operation"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
UNSAFE = re.compile(r"[^\x21-\x7e\x80-\xff \t]")
LONGEST_WAIT_SECONDS = 86_400.0


Heard = tuple[HTTPResponse, bytes]  #: An answer that was read whole.


@dataclass(frozen=True)
class Answer:
    """What the provider said. `json` is None when there was no JSON body; header names are lower case.

    `body` is the same as it came: a file that was fetched, or for a vendor's own client that wants to read it itself.
    """

    status: int
    json: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300


Reader = Callable[[HTTPResponse, bytes], Answer]


class HttpClient:
    """One provider. A call takes at most `connect_timeout + read_timeout` seconds, however slowly bytes come.

    (Looking up a host name is the resolver's business and not bounded here.) `pool_size` is how many idle
    connections are kept; as many as there are threads may be open at once. Idle ones are dropped after
    `idle_seconds`, which should be below the provider's own limit.
    """

    def __init__(
        self,
        base_url: str,
        *,
        provider: str,
        connect_timeout: float = 1.0,
        read_timeout: float = 4.0,
        pool_size: int = 32,
        idle_seconds: float = 20.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        url = urlsplit(base_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"not an http address: {base_url!r}")
        self.provider = provider
        self.base_url = base_url.rstrip("/")
        self._base_path = url.path.rstrip("/")
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        tls = tls_context() if url.scheme == "https" else None
        port = url.port or (443 if tls else 80)
        self._connections = Connections(
            url.hostname, port, tls=tls, keep=pool_size, idle_seconds=idle_seconds
        )
        self._headers = {
            "Host": url.netloc.rpartition("@")[2], "User-Agent": "waybill/1", "Accept": "application/json",
            "Accept-Encoding": "identity", **(headers or {}),
        }  # fmt: skip

    @property
    def longest_call_seconds(self) -> float:
        """The bound on one call."""
        return self._connect_timeout + self._read_timeout

    def get(
        self, path: str, *, operation: str, query: Mapping[str, Any] | None = None, correlation_id: str = ""
    ) -> Answer:
        """Read. Repeated once by itself when a kept connection breaks. Raises NotSent, OutcomeUnknown."""
        found = {name: value for name, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(found)}" if found else path
        return self._call("GET", target, b"", self._extra(None, correlation_id, ""), operation)

    def fetch(self, path: str, *, operation: str, accept: str, correlation_id: str = "") -> Answer:
        """Read a file of 8 MB at most; its bytes are `body`. Repeated as `get`. Raises NotSent, OutcomeUnknown."""
        extra = {**self._extra(None, correlation_id, ""), "Accept": accept}
        return self._call("GET", path, b"", extra, operation, read=read_file)

    def post_json(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        operation: str,
        key: str | None = None,
        correlation_id: str = "",
    ) -> Answer:
        """Act, with a JSON body and an idempotency key. Raises NotSent, OutcomeUnknown."""
        content = json.dumps(body, separators=(",", ":")).encode()
        return self._call(
            "POST", path, content, self._extra(key, correlation_id, "application/json"), operation
        )

    def post_form(
        self,
        path: str,
        fields: Mapping[str, Any],
        *,
        operation: str,
        key: str | None = None,
        correlation_id: str = "",
    ) -> Answer:
        """Act, with a form body; mappings nest as `metadata[reference]`. Raises NotSent, OutcomeUnknown."""
        content = urlencode(list(flat(fields))).encode()
        extra = self._extra(key, correlation_id, "application/x-www-form-urlencoded")
        return self._call("POST", path, content, extra, operation)

    def send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str], *, operation: str
    ) -> Answer:
        """A request that a vendor's own client made, with its headers. Raises NotSent, OutcomeUnknown."""
        return self._call(method, target, body, dict(headers), operation)

    def _extra(self, key: str | None, correlation_id: str, content_type: str) -> dict[str, str]:
        wanted = {"Idempotency-Key": key, "X-Correlation-Id": correlation_id, "Content-Type": content_type}
        return {name: value for name, value in wanted.items() if value}

    def _call(
        self,
        method: str,
        target: str,
        body: bytes,
        extra: dict[str, str],
        operation: str,
        *,
        read: Reader | None = None,
    ) -> Answer:
        request = self._request_bytes(method, target, body, extra)
        with self._measured(operation) as measure:
            response, content = self._exchange(method, request)
            answer = (read or read_answer)(response, content)
            measure["outcome"] = outcome_of(answer.status)
            hearing.current().status(answer.status, retry_after_seconds(answer.headers))
            return answer

    def _exchange(self, method: str, request: bytes) -> Heard:
        started = monotonic()
        kept = self._connections.reuse()
        if kept is not None:
            try:
                return self._once(kept, method, request, started + self._read_timeout)
            except NotSent:
                self._connections.clear()
            except OutcomeUnknown:
                if method != "GET" or monotonic() >= started + self._read_timeout:
                    raise
                self._connections.clear()
        opened = self._connections.open(monotonic() + self._connect_timeout)
        return self._once(opened, method, request, started + self.longest_call_seconds)

    def _once(self, connection: Connection, method: str, request: bytes, deadline: float) -> Heard:
        try:
            connection.send(request, deadline)
            response, body = connection.receive(method, deadline)
        except (NotSent, OutcomeUnknown):
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._connections.keep(connection)
        return response, body

    def _request_bytes(self, method: str, target: str, body: bytes, extra: dict[str, str]) -> bytes:
        headers = {**self._headers, **extra}
        if method != "GET":
            headers["Content-Length"] = str(len(body))
        lines = [f"{method} {quote(self._base_path + target, safe=SAFE_IN_TARGET)} HTTP/1.1"]
        for name, value in headers.items():
            if UNSAFE.search(value):
                raise ValueError(f"header {name} holds a character that may not be sent")
            lines.append(f"{name}: {value}")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + body

    @contextmanager
    def _measured(self, operation: str) -> Iterator[dict[str, str]]:
        started, measure = monotonic(), {"outcome": "unknown"}
        try:
            yield measure
        except NotSent:
            measure["outcome"] = "not_sent"
            hearing.current().silence()
            raise
        except OutcomeUnknown:
            hearing.current().silence()
            raise
        finally:
            CALLS.labels(self.provider, operation, measure["outcome"]).inc()
            SECONDS.labels(self.provider, operation).observe(monotonic() - started)


#: A target is built from quoted parts already; this only makes sure nothing can break the request line.
SAFE_IN_TARGET = "/?&=%:+,;@!$'()*~[]"


def read_answer(response: HTTPResponse, body: bytes) -> Answer:
    """The answer as a value. A 2xx without readable JSON tells nothing: raises OutcomeUnknown."""
    headers = {name.lower(): value for name, value in response.getheaders()}
    try:
        data = json.loads(body) if body else None
    except (ValueError, RecursionError) as error:
        if 200 <= response.status < 300:
            raise OutcomeUnknown("the answer is not JSON") from error
        data = None
    return Answer(response.status, data, headers, body)


def read_file(response: HTTPResponse, body: bytes) -> Answer:
    """A file as a value; a refusal as JSON."""
    if not 200 <= response.status < 300:
        return read_answer(response, body)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, None, headers, body)


def outcome_of(status: int) -> str:
    """One of five words for the metrics."""
    if status >= 500:
        return "failed"
    if status == 429:
        return "throttled"
    return "refused" if status >= 400 else "ok"


def flat(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Form fields, with mappings and lists nested in brackets and None left out."""
    for name, value in fields.items():
        if isinstance(value, list):
            yield from flat({name: {str(place): item for place, item in enumerate(value)}})
        elif isinstance(value, Mapping):
            for inner, text in flat(value):
                head, bracket, rest = inner.partition("[")
                yield f"{name}[{head}]{bracket}{rest}", text
        elif isinstance(value, bool):
            yield name, "true" if value else "false"
        elif value is not None:
            yield name, str(value)


def retry_after_seconds(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """How long the provider asks to be left alone: 0 seconds to a day, told as a number or a date."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        wait = float(text) if not text[:1].isalpha() else _seconds_until(text, now)
    except (ValueError, TypeError):
        return None
    return min(max(wait, 0.0), LONGEST_WAIT_SECONDS) if wait == wait else None  # noqa: PLR0124 - not a number


def _seconds_until(date: str, now: datetime | None) -> float:
    when = parsedate_to_datetime(date)
    return (when - (now or datetime.now(UTC))).total_seconds()
