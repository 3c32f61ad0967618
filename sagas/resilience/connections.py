"""Kept connections to one host, one deadline over a whole exchange. Threads and forks may share the pool."""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections import deque
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import Any

MOST_ANSWER_BYTES = 8 * 1024 * 1024


class NotSent(Exception):
    """The request never left whole, so nobody can have acted on it. Safe to repeat."""


class OutcomeUnknown(Exception):
    """The request left and no readable answer came. It may have been acted on: ask before repeating."""


def seconds_left(deadline: float) -> float:
    """What remains, in seconds. Raises TimeoutError when nothing does."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Bounded:
    """Makes each receive wait no longer than what is left of the exchange, however slowly bytes trickle."""

    deadline: float = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(seconds_left(self.deadline))  # type: ignore[attr-defined]
        received: int = super().recv_into(*args, **kwargs)  # type: ignore[misc]
        return received


class BoundedSocket(_Bounded, socket.socket):
    """A plain connection."""


class BoundedTlsSocket(_Bounded, ssl.SSLSocket):
    """An encrypted one."""


class Connection:
    """One open connection. After an error it must be closed; after a whole answer it may be used again."""

    def __init__(self, sock: BoundedSocket | BoundedTlsSocket) -> None:
        self._sock = sock
        self.idle_since = 0.0

    def send(self, request: bytes, deadline: float) -> None:
        """Send a whole request. Raises NotSent: what arrives incomplete cannot be acted on."""
        try:
            self._sock.settimeout(seconds_left(deadline))
            self._sock.sendall(request)
        except OSError as error:
            raise NotSent(f"could not send: {error}") from error

    def receive(self, method: str, deadline: float) -> tuple[HTTPResponse, bytes]:
        """Read the whole answer by the deadline. Raises OutcomeUnknown."""
        self._sock.deadline = deadline
        response = HTTPResponse(self._sock, method=method)
        try:
            response.begin()
            body = response.read(MOST_ANSWER_BYTES)
        except (OSError, HTTPException, ValueError) as error:
            response.close()
            raise OutcomeUnknown(f"no readable answer: {error or type(error).__name__}") from error
        if not response.isclosed() and (response.length or response.read(1)):
            response.close()
            raise OutcomeUnknown("the answer is cut short or too large")
        return response, body

    def is_usable(self) -> bool:
        """Whether it still looks open. Anything to read on an idle connection is its end, or rubbish."""
        poll = select.poll()
        try:
            poll.register(self._sock, select.POLLIN)
        except ValueError:
            return False
        return not poll.poll(0)

    def close(self) -> None:
        """Let it go. Never raises."""
        self._sock.close()

    def __del__(self) -> None:
        # A pool that nobody uses any more, or a parent's after a fork, goes with what it had kept.
        self.close()


class Connections:
    """The pool: the connection used last is used first, so that spares run into their idle limit."""

    def __init__(
        self, host: str, port: int, *, tls: ssl.SSLContext | None, keep: int, idle_seconds: float
    ) -> None:
        self._address = (host, port)
        self._tls = tls
        self._keep = keep
        self._idle_seconds = idle_seconds
        self._idle: deque[Connection] = deque()
        self._pid = os.getpid()

    def reuse(self) -> Connection | None:
        """A kept connection that still looks open, or None."""
        if self._pid != os.getpid():  # a fork may not speak on its parent's connections
            self._idle, self._pid = deque(), os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if monotonic() - connection.idle_since < self._idle_seconds and connection.is_usable():
                return connection
            connection.close()

    def open(self, deadline: float) -> Connection:
        """A new connection. Raises NotSent."""
        try:
            return Connection(self._connect(deadline))
        except OSError as error:
            raise NotSent(f"could not connect: {error}") from error

    def keep(self, connection: Connection) -> None:
        """Give back a connection whose answer was read whole."""
        if len(self._idle) >= self._keep:
            connection.close()
            return
        connection.idle_since = monotonic()
        self._idle.append(connection)

    def clear(self) -> None:
        """Close what is kept, as when one of it turned out to be dead."""
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def _connect(self, deadline: float) -> BoundedSocket | BoundedTlsSocket:
        failure = OSError("the name has no address")
        host, port = self._address
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            sock = BoundedSocket(family, kind, protocol)
            try:
                sock.settimeout(seconds_left(deadline))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._secured(sock)
            except OSError as error:
                sock.close()
                failure = error
        raise failure

    def _secured(self, sock: BoundedSocket) -> BoundedSocket | BoundedTlsSocket:
        if self._tls is None:
            return sock
        wrapped = self._tls.wrap_socket(sock, server_hostname=self._address[0])
        assert isinstance(wrapped, BoundedTlsSocket)  # noqa: S101 - the context was told to make these
        return wrapped


def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the system's authorities."""
    context = ssl.create_default_context()
    context.sslsocket_class = BoundedTlsSocket
    return context
