"""The door of the inbox: what is proven is stored once before the answer; nothing else leaves a trace in the rows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from prometheus_client import REGISTRY

from sagas import bell
from sagas.inbox.receive import MOST_BYTES
from sagas.inbox.rows import IncomingWebhook
from tests.sagas import people
from tests.sagas.inbox.conftest import NAME, TASK, ToyReader, body, signed

DOOR = "/webhooks/sagas/toybank/"


@pytest.fixture
def rung(toys_inbox: ToyReader, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bells that were rung."""
    bells: list[str] = []

    def ring(*names: str) -> bool:
        bells.extend(names)
        return True

    monkeypatch.setattr(bell, "ring", ring)
    return bells


def post(text: bytes, signature: str | None = None, **headers: Any) -> Any:
    header = {"X-Toy-Signature": signed(text) if signature is None else signature}
    return Client(enforce_csrf_checks=True).post(
        DOOR, text, content_type="application/json", headers={**header, **headers}
    )


def counted(outcome: str) -> float:
    labels = {"source": NAME, "outcome": outcome}
    return REGISTRY.get_sample_value("waybill_webhooks_received_total", labels) or 0


def test_a_proven_message_is_stored_whole_before_it_is_answered(rung: list[str]) -> None:
    answer = post(body("evt_1"), None, **{"User-Agent": "toybank/1"})

    row = IncomingWebhook.objects.get()
    assert answer.status_code == 200
    assert (row.source, row.event_id, row.type, row.object_id) == (NAME, "evt_1", "toy.moved", "obj_1")
    assert (bytes(row.body), row.state, row.attempts) == (body("evt_1"), "received", 0)
    assert row.headers == {"Content-Type": "application/json", "User-Agent": "toybank/1"}
    assert row.occurred_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert rung == [TASK]


def test_f17_the_same_message_again_is_answered_alike_stored_once_and_counted(rung: list[str]) -> None:
    before = counted("duplicate")

    answers = [post(body("evt_1")).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert IncomingWebhook.objects.count() == 1
    assert counted("duplicate") - before == 2
    assert rung == [TASK]


@pytest.mark.parametrize("senders", [2, 10])
def test_f17_the_same_message_at_the_same_moment_is_stored_once(toys_inbox: ToyReader, senders: int) -> None:
    barrier = threading.Barrier(senders)

    def send(_: int) -> int:
        barrier.wait()
        try:
            return int(post(body("evt_1")).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(senders) as threads:
        answers = list(threads.map(send, range(senders)))

    assert answers == [200] * senders
    assert IncomingWebhook.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "signature", "status", "code"),
    [
        (body(), "", 401, "inbox.bad_signature"),
        (body(), signed(body("evt_2")), 401, "inbox.bad_signature"),
        (body(), signed(body(), secret="whsec_guess"), 401, "inbox.bad_signature"),
        (body(), signed(body(), at=1_600_000_000), 401, "inbox.bad_signature"),
        (b"not json", None, 400, "inbox.unreadable"),
        (b"[]", None, 400, "inbox.unreadable"),
        (body("evt_1\0"), None, 400, "inbox.unreadable"),
        (body("e" * 201), None, 400, "inbox.unreadable"),
        (body("évt"), None, 400, "inbox.unreadable"),
    ],
    # A signature holds the moment it was made, and every process that collects tests has to give them the same names.
    ids=["unsigned", "another's", "guessed", "old", "no-json", "a-list", "nul", "long", "no-ascii"],
)
def test_f21_what_is_not_proven_or_not_readable_leaves_no_row_and_is_counted(
    rung: list[str], text: bytes, signature: str | None, status: int, code: str
) -> None:
    before = counted("rejected")

    answer = post(text, signature)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert IncomingWebhook.objects.count() == 0
    assert counted("rejected") - before == 1
    assert rung == []


def test_f21_a_refusal_says_nothing_of_the_message_or_the_secret(
    toys_inbox: ToyReader, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = post(b'{"id": "evt_ada@example.org"}', "t=1,v1=00")

    told = answer.content.decode() + capsys.readouterr().out
    assert "ada@example.org" not in told
    assert "whsec" not in told


def test_a_body_that_is_too_long_is_turned_away_and_one_that_just_fits_is_taken(rung: list[str]) -> None:
    fits = body("evt_1") + b" " * (MOST_BYTES - len(body("evt_1")))
    too_long = body("evt_2") + b" " * (MOST_BYTES - len(body("evt_2")) + 1)

    answers = [post(fits).status_code, post(too_long).status_code]

    assert (len(fits), answers) == (MOST_BYTES, [200, 413])
    assert list(IncomingWebhook.objects.values_list("event_id", flat=True)) == ["evt_1"]


def test_an_address_of_nobody_and_another_method_are_no_doors(toys_inbox: ToyReader) -> None:
    client = Client()

    assert client.post("/webhooks/sagas/nobody/", body(), content_type="application/json").status_code == 404
    assert client.get(DOOR).status_code == 405


def test_a_message_costs_one_statement_and_asks_for_no_session_or_user(
    rung: list[str], django_assert_num_queries: Any
) -> None:
    browser, text = people.operator(), body("evt_1")

    with django_assert_num_queries(1):
        answer = browser.post(
            DOOR, text, content_type="application/json", headers={"X-Toy-Signature": signed(text)}
        )

    assert answer.status_code == 200


def test_a_burst_is_taken_whole(toys_inbox: ToyReader) -> None:
    def send(n: int) -> int:
        try:
            return int(post(body(f"evt_{n}")).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(200)))

    assert set(answers) == {200}
    assert IncomingWebhook.objects.count() == 200
