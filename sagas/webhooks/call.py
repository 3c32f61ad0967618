"""One call to an endpoint: to a checked address, once, within a time. What comes of it is a value, never an error."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException, HTTPResponse
from ipaddress import IPv6Address
from time import monotonic

from sagas.resilience.connections import BoundedSocket, BoundedTlsSocket, seconds_left, tls_context
from sagas.resilience.http import retry_after_seconds
from sagas.webhooks.addresses import Address, Lookup, Rules, Target, UrlRefused, UrlUnknown, parse, resolve

#: So much of an answer is read, and so much of it kept for the log.
MOST_ANSWER_BYTES = 16 * 1024
KEPT_CHARACTERS = 500
CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class Heard:
    """What came of a call. `outcome` is one of a few words; `answer` the beginning of what was said."""

    outcome: str
    status: int | None = None
    seconds: float = 0.0
    answer: str = ""
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """2xx, nothing else."""
        return self.outcome == "delivered"


@dataclass(frozen=True)
class Line:
    """How calls are made: what is allowed, how long one may take, how names are looked up and certificates checked."""

    rules: Rules
    seconds: float
    lookup: Lookup = socket.getaddrinfo
    tls: ssl.SSLContext | None = None

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Heard:
        """Send a body, follow nothing, use no proxy. Looking up a name is the resolver's business and not bounded."""
        began = monotonic()
        try:
            heard = self._exchange(url, headers, body, began + self.seconds)
        except UrlUnknown:
            heard = Heard("unknown_host")
        except UrlRefused as refused:
            heard = Heard("url_refused", answer=refused.detail)
        except (TimeoutError, OSError, HTTPException, ValueError) as error:
            heard = Heard(_word_of(error))
        return Heard(heard.outcome, heard.status, monotonic() - began, heard.answer, heard.retry_after)

    def _exchange(self, url: str, headers: Mapping[str, str], body: bytes, deadline: float) -> Heard:
        target = parse(url, self.rules)
        sock = self._connect(target, resolve(target, self.rules, lookup=self.lookup), deadline)
        with closing(sock):
            sock.settimeout(seconds_left(deadline))
            sock.sendall(_request(target, headers, body))
            sock.deadline = deadline
            return _answer(HTTPResponse(sock, method="POST"))

    def _connect(
        self, target: Target, addresses: Sequence[Address], deadline: float
    ) -> BoundedSocket | BoundedTlsSocket:
        """The first address that answers. Only those that were looked at."""
        failure: OSError = OSError("no address")
        for address in addresses:
            sock = BoundedSocket(socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET)
            try:
                sock.settimeout(min(CONNECT_SECONDS, seconds_left(deadline)))
                sock.connect((str(address), target.port))
            except OSError as error:
                sock.close()
                failure = error
            else:
                return self._secured(sock, target, deadline)
        raise failure

    def _secured(
        self, sock: BoundedSocket, target: Target, deadline: float
    ) -> BoundedSocket | BoundedTlsSocket:
        if target.scheme == "http":
            return sock
        try:
            sock.settimeout(seconds_left(deadline))
            wrapped = (self.tls or _trusting()).wrap_socket(sock, server_hostname=target.host)
        except OSError:
            sock.close()
            raise
        assert isinstance(wrapped, BoundedTlsSocket)  # noqa: S101 - the context was told to make these
        return wrapped


@cache
def _trusting() -> ssl.SSLContext:
    """The system's authorities: reading them takes longer than a call."""
    return tls_context()


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    fixed = {
        "Host": target.authority,
        "User-Agent": "Waybill-Webhooks/1",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [
        f"POST {target.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in (fixed | dict(headers)).items()),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode("ascii") + body


def _answer(response: HTTPResponse) -> Heard:
    """The status decides. Of what follows it a little is read for the log, as far as it can be."""
    with closing(response):
        response.begin()
        try:
            text = response.read(MOST_ANSWER_BYTES).decode(errors="replace")
        except (OSError, HTTPException, ValueError):
            text = ""
        wait = retry_after_seconds({name.lower(): value for name, value in response.getheaders()})
    kept = "".join(c if c.isprintable() else " " for c in text[:KEPT_CHARACTERS])
    return Heard(_meaning_of(response.status), response.status, answer=kept, retry_after=wait)


def _meaning_of(status: int) -> str:
    match status:
        case 410:
            return "gone"
        case 429:
            return "throttled"
        case _ if 200 <= status < 300:
            return "delivered"
        case _ if 300 <= status < 400:
            return "redirected"
        case _ if status >= 500:
            return "failed"
    return "refused"


def _word_of(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "timed_out"
        case ssl.SSLError():
            return "tls_failed"
        case ConnectionRefusedError():
            return "not_connected"
        case HTTPException() | ConnectionError():
            return "no_answer"
        case OSError():
            return "not_connected"
    return "no_answer"


#: Every word there is, beside those of our own trouble.
OUTCOMES = (
    "delivered", "gone", "throttled", "redirected", "failed", "refused", "timed_out", "tls_failed", "not_connected",
    "no_answer", "unknown_host", "url_refused",
)  # fmt: skip
