"""The sandbox's webhooks over real HTTP: signed, once each unless scripted, and never in the way of an answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sagas.resilience.http import HttpClient
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.waiting import eventually

SECRET = "whsec_of_this_test"
CARD = {"currency": "gbp", "capture_method": "manual", "payment_method": "pm_card_visa", "amount": 500}


class Ear:
    """A receiver that keeps what it was sent, and answers as told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.answers: list[int] = []
        self.seconds = 0.0
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(ear.seconds)
                ear.heard.append((self.headers["Stripe-Signature"], body))
                self.send_response(ear.answers.pop(0) if ear.answers else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]

    def types(self, reference: str) -> list[str]:
        mine = [e for e in self.events if e["data"]["object"]["metadata"].get("reference") == reference]
        return [e["type"].removeprefix("payment_intent.") for e in mine]


@pytest.fixture(scope="module")
def shared() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.server.shutdown()
    ear.server.server_close()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, shared: Ear) -> Iterator[SandboxProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENT_WEBHOOK_SECRETS", f"{SECRET}, whsec_old")
        folder = tmp_path_factory.mktemp("sandbox")
        with running_sandbox(folder, "--profile", "quiet", "--webhooks", shared.url) as running:
            yield running


@pytest.fixture
def ear(shared: Ear) -> Ear:
    shared.heard.clear()
    shared.answers.clear()
    shared.seconds = 0.0
    return shared


@pytest.fixture
def client(sandbox: SandboxProcess) -> HttpClient:
    return sandbox.client()


def create(client: HttpClient, reference: str) -> str:
    fields = {**CARD, "metadata": {"reference": reference}}
    ident: str = client.post_form("/v1/payment_intents", fields, operation="create").json["id"]
    return ident


def act(client: HttpClient, ident: str, what: str) -> Any:
    return client.post_form(f"/v1/payment_intents/{ident}/{what}", {}, operation=what).json


def paid(client: HttpClient, reference: str) -> str:
    ident = create(client, reference)
    act(client, ident, "confirm")
    act(client, ident, "capture")
    return ident


def by_hand(header: str, body: bytes, secret: str) -> bool:
    parts = dict(part.split("=") for part in header.split(","))
    mac = hmac.new(secret.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    return mac == parts["v1"] and abs(time.time() - int(parts["t"])) < 60


def test_each_thing_that_happens_is_told_once_signed_and_as_it_stands(ear: Ear, client: HttpClient) -> None:
    ident = paid(client, "TOLD-1")

    told = ["created", "amount_capturable_updated", "succeeded"]
    assert eventually(lambda: sorted(ear.types("TOLD-1")) == sorted(told))
    last = next(e for e in ear.events if e["type"] == "payment_intent.succeeded")
    assert (last["object"], last["data"]["object"]["id"]) == ("event", ident)
    assert (last["data"]["object"]["status"], last["data"]["object"]["amount_received"]) == ("succeeded", 500)
    assert all(by_hand(header, body, SECRET) for header, body in ear.heard)
    assert len({e["id"] for e in ear.events}) == 3


def test_the_official_client_reads_what_is_told_and_proves_it(ear: Ear, client: HttpClient) -> None:
    stripe = pytest.importorskip("stripe")
    ident = paid(client, "OFFICIAL-1")
    assert eventually(lambda: len(ear.heard) == 3)

    events = [stripe.Webhook.construct_event(body, header, SECRET) for header, body in ear.heard]

    assert {event.data.object.id for event in events} == {ident}
    assert {event.type for event in events} == {e["type"] for e in ear.events}
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(ear.heard[0][1], ear.heard[1][0], SECRET)


def test_a_receiver_that_refuses_is_told_again(ear: Ear, client: HttpClient) -> None:
    ear.answers = [500, 503]

    create(client, "AGAIN-1")

    assert eventually(lambda: len(ear.heard) == 3)
    assert {e["id"] for e in ear.events} == {ear.events[0]["id"]}


def test_f18_early_is_before_the_answer_of_the_call(
    ear: Ear, client: HttpClient, sandbox: SandboxProcess
) -> None:
    sandbox.script("webhooks", "EARLY-1", "early")
    ear.seconds = 2.0

    create(client, "EARLY-1")
    early = ear.types("EARLY-1")
    create(client, "SOON-1")
    soon = ear.types("SOON-1")

    assert (early, soon) == (["created"], [])
    assert eventually(lambda: ear.types("SOON-1") == ["created"])


@pytest.mark.parametrize(
    "case",
    [
        ("duplicate", {"copies": 5}, 5, 1),
        ("twin", {}, 2, 2),
        ("late", {"seconds": 3}, 1, 1),
        ("never", {}, 0, 0),
    ],
)
def test_scripts_say_how_often_and_under_how_many_ids(
    ear: Ear, client: HttpClient, sandbox: SandboxProcess, case: tuple[str, dict[str, Any], int, int]
) -> None:
    action, params, count, ids = case
    reference = f"SCRIPT-{action}"
    sandbox.script("webhooks", reference, action, **params)

    create(client, reference)
    at_once = len(ear.heard)
    create(client, f"AFTER-{action}")

    assert eventually(
        lambda: len(ear.types(reference)) == count and ear.types(f"AFTER-{action}") == ["created"]
    )
    mine = [e for e in ear.events if e["data"]["object"]["metadata"]["reference"] == reference]
    assert (len(mine), len({e["id"] for e in mine})) == (count, ids)
    assert len({json.dumps(e["data"]) for e in mine}) == min(count, 1)
    assert action != "late" or at_once == 0


def test_f21_a_forged_one_is_signed_with_another_secret_and_a_lie_with_the_right_one(
    ear: Ear, client: HttpClient, sandbox: SandboxProcess
) -> None:
    sandbox.script("webhooks", "FORGED-1", "forge")
    sandbox.script("webhooks", "LIE-1", "lie", amount=1)

    create(client, "FORGED-1")
    create(client, "LIE-1")

    assert eventually(lambda: len(ear.heard) == 2)
    proven = {json.loads(b)["data"]["object"]["amount"]: by_hand(h, b, SECRET) for h, b in ear.heard}
    assert proven == {500: False, 1: True}


@pytest.mark.parametrize(
    "case",
    [("authorize", "requires_capture", "amount_capturable_updated"), ("expire", "canceled", "canceled"),
     ("reverse", "requires_payment_method", "payment_failed")],
)  # fmt: skip
def test_what_banks_do_behind_our_back_changes_the_intent_and_is_told(
    ear: Ear, client: HttpClient, sandbox: SandboxProcess, case: tuple[str, str, str]
) -> None:
    what, status, told = case
    ident = paid(client, f"DOING-{what}")

    sandbox.control("POST", "/sandbox/doings", {"what": what, "intent": ident})

    intent = client.get(f"/v1/payment_intents/{ident}", operation="retrieve").json
    assert intent["status"] == status
    assert eventually(lambda: len(ear.types(f"DOING-{what}")) == 4)
    assert told in ear.types(f"DOING-{what}")


def test_refunds_that_come_back_and_disputes_are_told(
    ear: Ear, client: HttpClient, sandbox: SandboxProcess
) -> None:
    ident = paid(client, "BACK-1")
    refund = client.post_form(
        "/v1/refunds", {"payment_intent": ident, "amount": 200}, operation="refund"
    ).json["id"]

    sandbox.control("POST", "/sandbox/doings", {"what": "return", "refund": refund})
    sandbox.control("POST", "/sandbox/doings", {"what": "dispute", "intent": ident})

    assert client.get(f"/v1/refunds/{refund}", operation="retrieve").json["status"] == "failed"
    assert eventually(
        lambda: (
            {"refund.created", "refund.updated", "charge.dispute.created"} <= {e["type"] for e in ear.events}
        )
    )
    dispute = next(e for e in ear.events if e["type"] == "charge.dispute.created")["data"]["object"]
    assert (dispute["payment_intent"], dispute["status"]) == (ident, "needs_response")


def test_without_an_address_nothing_is_sent_and_without_a_secret_it_does_not_start(
    ear: Ear, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_WEBHOOK_SECRETS", "")
    with running_sandbox(tmp_path_factory.mktemp("quiet"), "--profile", "quiet") as quiet:
        create(quiet.client(), "SILENT-1")

    with (
        pytest.raises(AssertionError, match="needs a secret"),
        running_sandbox(tmp_path_factory.mktemp("bare"), "--webhooks", ear.url),
    ):
        raise RuntimeError("it started")
    assert ear.heard == []
