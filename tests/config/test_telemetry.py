"""One correlation id from request to task to log line, and bugs alone go to Sentry."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import sentry_sdk
import structlog
from django.conf import settings
from django.test import Client
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from config import telemetry
from config.celery import app
from config.logging import configure_logging
from sagas.verdicts import Refused

NAME = "Ada Example"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged, as JSON lines."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    configure_logging(style="json", level="INFO")
    yield out
    monkeypatch.undo()
    configure_logging(style="json", level="WARNING")


def logged(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_request_logs_the_correlation_id_its_caller_brought(client: Client, lines: io.StringIO) -> None:
    client.get("/health/live", headers={"X-Correlation-ID": "cart-77", "X-Request-ID": "r-1"})

    assert {line["correlation_id"] for line in logged(lines)} == {"cart-77"}


def test_without_one_the_requests_own_id_is_the_correlation_id(client: Client, lines: io.StringIO) -> None:
    client.get("/health/live", headers={"X-Request-ID": "r-2"})

    assert {line["correlation_id"] for line in logged(lines)} == {"r-2"}


def test_no_line_tells_what_was_asked_after_the_path(client: Client, lines: io.StringIO) -> None:
    client.get("/nowhere", {"q": "ada@example.org"})

    assert {line["request"] for line in logged(lines)} == {"GET /nowhere"}
    assert "example.org" not in lines.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_line_tells_the_row_that_a_database_error_quotes(style: str) -> None:
    configure_logging(style=style, level="INFO")
    out = io.StringIO()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(out)

    try:
        duplicate(NAME)
    except ValueError as error:
        structlog.get_logger("orders").exception("broke", error=str(error))
        logging.getLogger("orders").exception("broke too")
    configure_logging(style="json", level="WARNING")

    assert out.getvalue().count("ValueError: duplicate key") == 2
    assert NAME not in out.getvalue()


def duplicate(name: str) -> None:
    """Fail as the database does, quoting a row."""
    raise ValueError(f"duplicate key\nDETAIL:  Key (name)=({name}) already exists.")


def test_both_ways_of_logging_come_out_alike(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(correlation_id="c-3"):
        structlog.get_logger("orders").info("order_placed", order="A-1")
        logging.getLogger("orders").warning("odd %s", "thing")

    first, second = logged(lines)
    assert (first["event"], first["order"], first["level"], first["logger"]) == (
        "order_placed", "A-1", "info", "orders",
    )  # fmt: skip
    assert (second["event"], second["level"]) == ("odd thing", "warning")
    assert first["correlation_id"] == second["correlation_id"] == "c-3"


def test_a_task_carries_the_correlation_id_of_who_sent_it() -> None:
    with redis.Redis.from_url(settings.WAYBILL.redis_url) as client:
        client.delete("inventory")  # doorbells of other tests, which no worker took
        with structlog.contextvars.bound_contextvars(correlation_id="c-4"):
            app.send_task("inventory.nobody_consumes_this")
        message = json.loads(client.rpop("inventory"))
    assert message["headers"]["__django_structlog__"]["correlation_id"] == "c-4"
    assert json.loads(base64.b64decode(message["body"]))[0] == []


def test_a_refusal_is_an_answer_and_no_bug() -> None:
    refused = Refused("payments.declined")

    assert telemetry.only_bugs({}, {"exc_info": (Refused, refused, None)}) is None
    assert telemetry.only_bugs({}, {"exc_info": (KeyError, KeyError("x"), None)}) == {}
    assert telemetry.only_bugs({"message": "logged"}, {}) == {"message": "logged"}


def test_a_bug_is_reported_without_anybody_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {}
    monkeypatch.setattr(sentry_sdk, "init", lambda **given: options.update(given))
    telemetry.start_sentry("https://key@sentry.invalid/1", role="web")
    sent: list[str] = []

    class Kept(Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            sent.append(envelope.serialize().decode())

    client = sentry_sdk.Client(**options | {"integrations": []}, default_integrations=False, transport=Kept)

    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        scope.add_breadcrumb(message=f"no\nDETAIL:  (name)=({NAME})")
        try:
            duplicate(NAME)
        except ValueError as error:
            scope.capture_exception(error)
    event = {"request": {"url": "/admin", "query_string": "q=Ada"}}

    assert len(sent) == 1
    assert '"ValueError"' in sent[0]
    assert NAME not in sent[0]
    assert telemetry.only_bugs(event, {}) == {"request": {"url": "/admin"}}  # type: ignore[arg-type]
    assert options["max_request_body_size"] == "never"
    assert not options.get("send_default_pii")
