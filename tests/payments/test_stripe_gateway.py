"""What Stripe's official client does on our connections: on the wire, when they break, in threads and forks."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import stripe
from prometheus_client import REGISTRY

from payments.gateways.base import (
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    Intent,
    IntentStatus,
    RefundIntent,
)
from payments.gateways.sandbox import SandboxGateway
from payments.gateways.stripe import StripeGateway, stripe_client
from sagas.resilience.asking import Asking, KeyReused
from sagas.resilience.http import HttpClient
from sagas.verdicts import Refused, Unavailable, Unknown
from tests.payments.gateway_stage import Stage
from tests.sagas.resilience.test_http import Server, answers, hangs_up
from tests.sandbox_process import SandboxProcess, running_sandbox

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTENT = {
    "id": "pi_1", "object": "payment_intent", "status": "requires_confirmation", "amount": 1250,
    "amount_capturable": 0, "amount_received": 0, "currency": "gbp", "metadata": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture
def stage(sandbox: SandboxProcess) -> Stage:
    return Stage(gateway_at(sandbox.url), sandbox)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def gateway_at(
    url: str, *, version: str = "", provider: str = "stripe-test", seconds: float = 10.0
) -> StripeGateway:
    client = HttpClient(url, provider=provider, connect_timeout=seconds / 2, read_timeout=seconds / 2)
    return StripeGateway(
        stripe_client(client, api_key="sk_test_1", api_version=version), Asking("payments", lambda: NOW)
    )


def answer(status: str, body: object, *headers: str) -> Callable[[socket.socket, bytes], bool]:
    text = (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(text)}", "", ""]
    return answers("\r\n".join(lines).encode() + text)


def error(kind: str, **details: object) -> dict[str, object]:
    return {"error": {"type": kind, "message": "No.", **details}}


def creation(**changes: Any) -> CreateIntent:
    request = CreateIntent(
        key=uuid4(), reference="A-1", amount_minor=1250, currency="GBP", payment_method="pm_card_visa",
        metadata={"order_id": "7"}, correlation_id="order-7",
    )  # fmt: skip
    return replace(request, **changes)


def confirmation() -> ConfirmIntent:
    return ConfirmIntent(key=uuid4(), intent_id="pi_1")


def sent(request: bytes) -> tuple[str, dict[str, str], str]:
    head, _, body = request.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


def test_an_intent_is_asked_for_by_card_captured_by_hand_and_unconfirmed(server: Server) -> None:
    request = creation()
    server.scripts = [answer("200 OK", INTENT)]

    result = gateway_at(server.url).create(request)

    assert isinstance(result, Intent)
    line, headers, body = sent(server.requests[0])
    assert line == "POST /base/v1/payment_intents HTTP/1.1"
    assert dict(part.split("=") for part in body.split("&")) == {
        "amount": "1250", "currency": "gbp", "capture_method": "manual", "payment_method": "pm_card_visa",
        "metadata[order_id]": "7", "metadata[reference]": "A-1", "metadata[key]": str(request.key),
        "automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never",
    }  # fmt: skip
    assert headers["Authorization"] == "Bearer sk_test_1"
    assert headers["Idempotency-Key"] == f"{request.key}:create"
    assert headers["X-Correlation-Id"] == "order-7"
    assert "X-Waybill-Operation" not in headers
    assert "X-Stripe-Client-Telemetry" not in headers


def test_the_version_asked_for_is_the_settings_or_else_the_clients_own(server: Server) -> None:
    gateway_at(server.url).retrieve("pi_1")
    gateway_at(server.url, version="2025-03-31.basil").retrieve("pi_1")

    assert [sent(request)[1]["Stripe-Version"] for request in server.requests] == [
        stripe.api_version or stripe.StripeClient("sk_x")._requestor.stripe_version, "2025-03-31.basil",
    ]  # fmt: skip


def test_the_keys_are_those_of_the_sandboxs_own_adapter(stage: Stage, sandbox: SandboxProcess) -> None:
    intent = stage.created()
    by_ours = SandboxGateway(sandbox.client()).confirm(stage.confirmation(intent))

    by_stripes = stage.gateway.confirm(stage.confirmation(intent))

    assert isinstance(by_ours, Intent)
    assert by_stripes == by_ours
    assert stage.happened("holds") == 1


def test_f13_a_line_that_breaks_after_sending_is_unknown(server: Server) -> None:
    server.scripts = [hangs_up]

    result = gateway_at(server.url).confirm(confirmation())

    assert isinstance(result, Unknown)
    assert result.code == "payments.no_answer"
    assert len(server.requests) == 1


def test_f13_a_provider_that_is_silent_is_unknown_within_the_limits(server: Server) -> None:
    def says_nothing(connection: socket.socket, _: bytes) -> bool:
        time.sleep(20)
        return False

    server.scripts = [says_nothing]
    began = time.monotonic()

    result = gateway_at(server.url, seconds=1).confirm(confirmation())

    assert isinstance(result, Unknown)
    assert time.monotonic() - began < 10


def test_f16_a_provider_that_cannot_be_reached_is_unavailable(server: Server) -> None:
    server.close()

    result = gateway_at(server.url).confirm(confirmation())

    assert isinstance(result, Unavailable)
    assert result.code == "payments.provider_unreachable"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("500 Internal Server Error", error("api_error"), Unknown("payments.provider_failed", "500")),
        ("502 Bad Gateway", "<html>", Unknown("payments.provider_failed", "502")),
        ("503 Service Unavailable", error("api_error"), Unknown("payments.provider_failed", "503")),
        ("424 Failed Dependency", error("api_error"), Unknown("payments.provider_failed", "424")),
        ("302 Found", "", Unknown("payments.provider_failed", "302")),
        ("401 Unauthorized", error("invalid_request_error"), Unavailable("payments.provider_closed", "HTTP 401")),
        ("403 Forbidden", error("invalid_request_error"), Unavailable("payments.provider_closed", "HTTP 403")),
        ("409 Conflict", error("invalid_request_error"), Unavailable("payments.key_in_use", "HTTP 409")),
        ("402 Payment Required", error("card_error", code="card_declined", decline_code="lost_card"),
         Refused("payments.declined", "lost_card")),
        ("402 Payment Required", error("card_error", code="expired_card"),
         Refused("payments.declined", "expired_card")),
        ("400 Bad Request", error("invalid_request_error", code="parameter_unknown"),
         Refused("payments.gateway_refused", "parameter_unknown")),
        ("400 Bad Request", "<html>", Refused("payments.gateway_refused", "HTTP 400")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("advice", ["Stripe-Should-Retry: true", "X-Nothing: x"])
def test_each_answer_has_its_verdict_and_is_never_asked_twice(
    server: Server, status: str, body: object, expected: object, advice: str
) -> None:
    server.scripts = [answer(status, body, advice)]

    assert gateway_at(server.url).confirm(confirmation()) == expected
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "status", ["424 Failed Dependency", "500 Internal Server Error", "429 Too Many Requests"]
)
def test_a_question_without_an_answer_is_asked_again_later(server: Server, status: str) -> None:
    gateway = gateway_at(server.url)
    asks: list[Callable[[], object]] = [
        lambda: gateway.retrieve("pi_1"),
        lambda: gateway.retrieve_refund("re_1"),
        lambda: gateway.find_by_reference("A-1"),
        lambda: gateway.refunds_of("pi_1"),
        gateway.list_intents,
        gateway.list_refunds,
    ]
    server.scripts = [answer(status, error("api_error")) for _ in asks]

    assert [type(ask()) for ask in asks] == [Unavailable] * len(asks)


@pytest.mark.parametrize(
    ("status", "code", "word", "wait"),
    [
        ("429 Too Many Requests", "rate_limit", "provider_throttled", "7"),
        ("409 Conflict", "idempotency_key_in_use", "key_in_use", "7"),
    ],
)
def test_f16_patience_is_as_long_as_it_was_asked_for(
    server: Server, status: str, code: str, word: str, wait: str
) -> None:
    server.scripts = [answer(status, error("idempotency_error", code=code), f"Retry-After: {wait}")]

    result = gateway_at(server.url).confirm(confirmation())

    assert isinstance(result, Unavailable)
    assert (result.code, result.retry_at) == (f"payments.{word}", NOW + timedelta(seconds=7))


def test_a_key_used_for_another_request_is_a_bug(server: Server) -> None:
    server.scripts = [answer("400 Bad Request", error("idempotency_error"))]

    with pytest.raises(KeyReused):
        gateway_at(server.url).create(creation())


@pytest.mark.parametrize(
    "body",
    [
        {**INTENT, "status": "pondering"},
        {**INTENT, "amount": None},
        {**INTENT, "metadata": None},
        {"id": "pi_1"},
        {**INTENT, "object": [], "currency": None, "amount": []},
        {**INTENT, "object": {"a": 1}, "status": 1},
        {**INTENT, "id": None, "last_payment_error": 5},
        {"object": "list", "data": 1, "has_more": 2},
        {"object": "search_result", "data": {"a": 1}},
        [],
        [INTENT],
        "",
        "{}",
        "1",
        "null",
        "true",
        '"yes"',
    ],
)
def test_f22_a_yes_that_says_nothing_we_understand_is_unknown(server: Server, body: object) -> None:
    server.scripts = [answer("200 OK", body)]

    assert isinstance(gateway_at(server.url).confirm(confirmation()), Unknown)


def test_f22_another_amount_than_asked_for_is_a_mismatch(server: Server) -> None:
    server.scripts = [answer("200 OK", {**INTENT, "amount": 1251})]

    result = gateway_at(server.url).create(creation())

    assert isinstance(result, Unknown)
    assert result.code == "payments.mismatch"


def test_what_the_client_cannot_have_asked_of_anybody_is_raised(server: Server) -> None:
    nobody = stripe_client(HttpClient(server.url, provider="stripe-test"), api_key="sk_test_1")
    nobody._requestor._options.api_key = None

    with pytest.raises(stripe.AuthenticationError):
        StripeGateway(nobody).retrieve("pi_1")

    assert server.requests == []


def test_the_connections_lead_to_one_host_only(server: Server) -> None:
    client = stripe_client(HttpClient(server.url, provider="stripe-test"), api_key="sk_test_1")

    with pytest.raises(ValueError, match=r"not to files\.stripe\.com"):
        client.raw_request("get", "/v1/files", base="files")

    assert server.requests == []


def test_calls_are_counted_by_what_they_are_for(stage: Stage, sandbox: SandboxProcess) -> None:
    stage = Stage(gateway_at(sandbox.url, provider="stripe-counted"), sandbox)

    intent = stage.captured()
    stage.gateway.refund(stage.refunding(intent, 100))
    stage.gateway.retrieve(intent.id)
    stage.gateway.find_by_reference(stage.reference)

    counted = {
        operation: REGISTRY.get_sample_value(
            "waybill_provider_calls_total",
            {"provider": "stripe-counted", "operation": operation, "outcome": "ok"},
        )
        for operation in ("create", "confirm", "capture", "refund", "retrieve", "list")
    }
    assert counted == dict.fromkeys(counted, 1.0)


def test_32_threads_share_one_gateway_and_its_connections(stage: Stage, server: Server) -> None:
    def pay(number: int) -> tuple[str, int]:
        key, reference = uuid4(), f"{stage.reference}-{number}"
        intent = stage.an_intent(stage.gateway.create(creation(key=key, reference=reference)))
        stage.gateway.confirm(ConfirmIntent(key=key, intent_id=intent.id))
        done = stage.an_intent(
            stage.gateway.capture(CaptureIntent(key=key, intent_id=intent.id, amount_minor=number + 1))
        )
        assert done.status == IntentStatus.CAPTURED
        return done.reference, done.captured_minor

    with ThreadPoolExecutor(32) as pool:
        paid = list(pool.map(pay, range(128)))

    assert paid == [(f"{stage.reference}-{number}", number + 1) for number in range(128)]


def test_threads_reuse_what_was_connected(server: Server) -> None:
    gateway = gateway_at(server.url)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: gateway.retrieve("pi_1"), range(40)))

    assert len(server.requests) == 40
    assert server.connections <= 4


def test_a_refund_sums_up_over_more_than_a_page(stage: Stage) -> None:
    intent = stage.captured()
    made = [
        stage.a_refund(
            stage.gateway.refund(
                RefundIntent(key=uuid4(), intent_id=intent.id, amount_minor=1, reference=stage.reference)
            )
        )
        for _ in range(101)
    ]

    assert stage.gateway.refunds_of(intent.id) == tuple(made[::-1])


def test_a_search_goes_on_until_nothing_is_left(stage: Stage) -> None:
    made = [stage.created(uuid4()).id for _ in range(101)]

    found = stage.gateway.find_by_reference(stage.reference)

    assert not isinstance(found, Unavailable)
    assert [one.id for one in found] == made[::-1]


def test_a_listing_that_leads_back_to_itself_comes_to_an_end(server: Server) -> None:
    refund = {"id": "re_1", "object": "refund", "status": "succeeded", "payment_intent": "pi_1", "amount": 1,
              "currency": "gbp", "metadata": {}}  # fmt: skip
    page = {"object": "list", "url": "/v1/refunds", "has_more": True, "data": [refund]}
    server.scripts = [answer("200 OK", page) for _ in range(9)]

    result = gateway_at(server.url).refunds_of("pi_1")

    assert isinstance(result, Unavailable)
    assert len(server.requests) == 2
