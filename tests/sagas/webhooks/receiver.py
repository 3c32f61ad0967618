"""A shop's server for webhooks: real HTTP on 127.0.0.1, scripted per call, with a record of what came."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Say:
    """What is done with a call: a status, and before it a wait; or something that is no answer at all."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait: float = 0.0
    instead: str = ""  #: reset, rubbish, hang


@dataclass(frozen=True)
class Came:
    """One call."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver:
    """Answers by its script, the last of which stays. Says 200 without one."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.script: list[Say] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hooks"

    def says(self, *answers: Say | int) -> None:
        """Script the next calls."""
        self.script = [Say(a) if isinstance(a, int) else a for a in answers]

    def next(self) -> Say:
        with self.lock:
            if not self.script:
                return Say()
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def ids(self) -> list[str]:
        """The webhook-ids that came, in their order."""
        return [one.id for one in self.came]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.lock:
                receiver.came.append(Came(self.path, headers, body, time.monotonic()))
                receiver.under_way += 1
                receiver.most_under_way = max(receiver.most_under_way, receiver.under_way)
            try:
                self._answer(receiver.next())
            finally:
                with receiver.lock:
                    receiver.under_way -= 1

        def _answer(self, say: Say) -> None:
            self.close_connection = True
            receiver.released.wait(say.wait)
            if say.instead == "hang":
                receiver.released.wait(30)
            elif say.instead == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            elif say.instead == "rubbish":
                self.wfile.write(b"\x00\xff this is no HTTP\r\n\r\n")
            else:
                self._say(say)

        def _say(self, say: Say) -> None:
            self.send_response(say.status)
            for name, value in say.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(say.body)))
            self.end_headers()
            self.wfile.write(say.body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def close_all(receivers: Sequence[Receiver]) -> None:
    """At the end of a test."""
    for receiver in receivers:
        receiver.close()
