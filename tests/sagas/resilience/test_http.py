"""The client against a server that does exactly what each test says, byte by byte."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from prometheus_client import REGISTRY

from sagas.resilience.connections import MOST_ANSWER_BYTES, BoundedSocket, Connection
from sagas.resilience.http import Answer, HttpClient, NotSent, OutcomeUnknown, retry_after_seconds

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
TOO_LARGE = b" " * (MOST_ANSWER_BYTES + 1)
Talk = Callable[[socket.socket, bytes], bool]


def answers(answer: bytes) -> Talk:
    """Send this and keep the connection."""

    def talk(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(answer)
        return True

    return talk


def hangs_up(_connection: socket.socket, _request: bytes) -> bool:
    return False


class Server:
    """Reads whole requests; for each, the next script says what to send. True keeps the connection open."""

    def __init__(self) -> None:
        self.scripts: list[Talk] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/base/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := read_request(connection):
                self.requests.append(request)
                script = self.scripts.pop(0) if self.scripts else answers(OK)
                try:
                    if not script(connection, request):
                        return
                except OSError:
                    return


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def client(server: Server) -> HttpClient:
    return HttpClient(server.url, provider="test", connect_timeout=10.0, read_timeout=10.0)


@pytest.fixture
def impatient(server: Server) -> HttpClient:
    """Its calls take a second at most. The server's scripts in these tests take four and more."""
    return HttpClient(server.url, provider="test", connect_timeout=0.5, read_timeout=0.5)


def act(client: HttpClient) -> Answer:
    return client.post_json("/act", {"a": 1}, operation="act", key="key-1")


def calls(outcome: str) -> float:
    labels = {"provider": "test", "operation": "act", "outcome": outcome}
    return REGISTRY.get_sample_value("waybill_provider_calls_total", labels) or 0.0


def test_a_call_carries_key_correlation_id_and_body_in_one_request(
    server: Server, client: HttpClient
) -> None:
    answer = client.post_json("/act?x=1", {"a": "é"}, operation="act", key="key-1", correlation_id="order-7")

    assert answer == Answer(200, {"ok": True}, {"content-type": "application/json", "content-length": "11"})
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /base/act?x=1 HTTP/1.1"
    assert {"Idempotency-Key: key-1", "X-Correlation-Id: order-7", "Content-Type: application/json"} <= set(
        lines
    )
    assert body == b'{"a":"\\u00e9"}'


def test_form_fields_nest_in_brackets(server: Server, client: HttpClient) -> None:
    client.post_form(
        "/act", {"amount": 5, "confirm": True, "none": None, "metadata": {"ref": "a&b"}}, operation="act"
    )

    assert server.requests[0].endswith(b"\r\n\r\namount=5&confirm=true&metadata%5Bref%5D=a%26b")


def test_form_fields_nest_as_deep_as_they_are(server: Server, client: HttpClient) -> None:
    fields = {"options": {"card": {"multicapture": "if_available"}}, "expand": ["charge"]}

    client.post_form("/act", fields, operation="act")

    form = server.requests[0].rpartition(b"\r\n\r\n")[2].decode()
    assert unquote(form) == "options[card][multicapture]=if_available&expand[0]=charge"


def test_a_connection_is_kept_for_the_next_call(server: Server, client: HttpClient) -> None:
    for _ in range(5):
        act(client)

    assert (len(server.requests), server.connections) == (5, 1)


def test_nobody_listening_means_not_sent(server: Server, client: HttpClient) -> None:
    server.close()
    before = calls("not_sent")

    with pytest.raises(NotSent, match="could not connect"):
        act(client)

    assert calls("not_sent") == before + 1


def test_a_line_that_breaks_after_sending_is_unknown_and_nothing_is_sent_twice(
    server: Server, client: HttpClient
) -> None:
    act(client)
    server.scripts = [hangs_up]
    before = calls("unknown")

    with pytest.raises(OutcomeUnknown, match="no readable answer"):
        act(client)

    assert len(server.requests) == 2
    assert calls("unknown") == before + 1


def test_a_get_on_a_kept_connection_that_breaks_is_asked_once_more(
    server: Server, client: HttpClient
) -> None:
    client.get("/look", operation="look")
    server.scripts = [hangs_up]

    answer = client.get("/look", operation="look")

    assert answer.ok
    assert (len(server.requests), server.connections) == (3, 2)


def test_a_get_on_a_fresh_connection_that_breaks_is_not(server: Server, client: HttpClient) -> None:
    server.scripts = [hangs_up]

    with pytest.raises(OutcomeUnknown):
        client.get("/look", operation="look")

    assert len(server.requests) == 1


def test_a_kept_connection_the_server_closed_is_noticed_before_sending(
    server: Server, client: HttpClient
) -> None:
    def answers_and_closes(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(OK)
        return False

    server.scripts = [answers_and_closes]
    act(client)
    time.sleep(0.05)

    assert act(client).ok
    assert (len(server.requests), server.connections) == (2, 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"rubbish\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(TOO_LARGE) + TOO_LARGE,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + TOO_LARGE,
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe',
        b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"[" * 20000,
    ],
    ids=["no-http", "cut", "no-json", "cut-chunk", "huge", "huge-to-the-end", "no-utf-8", "too-deep"],
)  # fmt: skip
def test_an_unreadable_success_is_unknown(server: Server, client: HttpClient, answer: bytes) -> None:
    def sends_and_closes(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(answer)
        return False

    server.scripts = [sends_and_closes]

    with pytest.raises(OutcomeUnknown):
        act(client)


def test_an_unreadable_refusal_is_still_a_refusal(server: Server, client: HttpClient) -> None:
    server.scripts = [answers(b"HTTP/1.1 422 No\r\nContent-Length: 5\r\n\r\n<htm>")]

    answer = act(client)

    assert (answer.status, answer.json, answer.ok) == (422, None, False)


def test_chunked_answers_are_read_and_the_connection_is_kept(server: Server, client: HttpClient) -> None:
    server.scripts = [answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")]

    assert act(client).json == {}
    act(client)

    assert server.connections == 1


def test_silence_ends_at_the_time_out_and_is_unknown(server: Server, impatient: HttpClient) -> None:
    def is_silent(_connection: socket.socket, _request: bytes) -> bool:
        time.sleep(4)
        return False

    server.scripts = [is_silent]
    began = time.monotonic()

    with pytest.raises(OutcomeUnknown):
        act(impatient)

    assert time.monotonic() - began < 3.5


def test_a_trickle_cannot_stretch_a_call_beyond_its_bound(server: Server, impatient: HttpClient) -> None:
    def trickles(connection: socket.socket, _: bytes) -> bool:
        for byte in OK:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)
        return True

    server.scripts = [trickles]
    began = time.monotonic()

    with pytest.raises(OutcomeUnknown):
        act(impatient)

    assert time.monotonic() - began < 3.5


def test_headers_that_would_break_the_request_never_leave(server: Server, client: HttpClient) -> None:
    with pytest.raises(ValueError, match="Idempotency-Key"):
        client.post_json("/act", {}, operation="act", key="a\r\nHost: elsewhere")

    client.get("/a b\r\nX: y", operation="look")
    assert server.requests[0].startswith(b"GET /base/a%20b%0D%0AX:%20y HTTP/1.1\r\n")


def test_a_request_that_cannot_be_sent_whole_was_not_sent() -> None:
    here, there = socket.socketpair()
    there.close()
    connection = Connection(BoundedSocket(fileno=here.detach()))

    with pytest.raises(NotSent, match="could not send"):
        connection.send(b"POST / HTTP/1.1\r\n\r\n", time.monotonic() + 1)

    connection.close()


def test_threads_share_a_client(server: Server, client: HttpClient) -> None:
    def echoes(connection: socket.socket, request: bytes) -> bool:
        body = request.partition(b"\r\n\r\n")[2]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return True

    server.scripts = [echoes] * 200
    results: dict[int, list[int]] = {}

    def work(number: int) -> None:
        results[number] = [
            client.post_json("/act", {"n": number * 100 + i}, operation="act").json["n"] for i in range(25)
        ]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: [number * 100 + i for i in range(25)] for number in range(8)}
    assert server.connections <= 8


def test_a_fork_does_not_speak_on_its_parents_connection(server: Server, client: HttpClient) -> None:
    act(client)

    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if act(client).ok else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    answer = act(client)

    assert os.waitstatus_to_exitcode(status) == 0
    assert answer.ok
    assert (len(server.requests), server.connections) == (3, 2)


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="not an http address"):
        HttpClient("localhost:8090", provider="test")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        (" 1.5 ", 1.5),
        ("-4", 0.0),
        ("999999999", 86_400.0),
        ("Mon, 05 Jan 2026 09:00:30 GMT", 30.0),
        ("Mon, 05 Jan 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(text: str, seconds: float | None) -> None:
    now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    assert retry_after_seconds({"retry-after": text}, now=now) == seconds
