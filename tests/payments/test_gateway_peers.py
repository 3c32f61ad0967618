"""The Stripe gateway against localstripe, a Stripe fake that nobody here wrote (`make conformance-peers`).

It is started as a program of its own, from PATH or `$LOCALSTRIPE`, and never imported: its licence is not ours.
What cannot be held against version 1.15, and is held against the sandbox instead:

- it ignores idempotency keys, so nothing about repeats, and nothing about lost answers;
- it declines no card, so nothing about declines; it gives back more than was captured;
- it has no search (404), so nothing about finding by reference;
- its refusals carry neither a code nor the intent, so that too late is only "refused", not by which state;
- its intents lack `amount_capturable` and `amount_received`, and it refuses `automatic_payment_methods`:
  `Peer` reads the amounts from the charge and leaves the parameter out;
- what a partial capture lets go is listed as a refund, without an intent.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

import pytest
import stripe

from payments.gateways.base import CaptureIntent, IntentStatus, RefundStatus
from payments.gateways.stripe import OurConnections, StripeGateway
from sagas.resilience.http import HttpClient
from sagas.verdicts import Refused, Unavailable
from tests.payments.gateway_stage import Stage

pytestmark = pytest.mark.peers

#: Where it keeps its state, whatever one asks it.
ITS_STATE = Path("/tmp/localstripe.pickle")
READY_SECONDS = 20.0


class Peer(OurConnections):
    """Reads around the two gaps of its wire format that would hide all else."""

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **rest: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        fields = [(name, value) for name, value in parse_qsl(post_data or "")
                  if not name.startswith("automatic_payment_methods")]  # fmt: skip
        body, status, answered = super().request(method, url, headers, urlencode(fields), **rest)
        return json.dumps(with_amounts(json.loads(body))), status, answered


def with_amounts(found: Any) -> Any:
    """The same with what is held and what was captured, read from the charge."""
    if isinstance(found, dict) and found.get("object") == "list":
        return {**found, "data": [with_amounts(one) for one in found["data"]]}
    if not isinstance(found, dict) or found.get("object") != "payment_intent":
        return found
    charge = found["latest_charge"] or {"captured": False, "refunds": {"data": []}}
    let_go = sum(one["amount"] for one in charge["refunds"]["data"] if one["payment_intent"] is None)
    held = found["amount"] if found["status"] == "requires_capture" else 0
    received = found["amount"] - let_go if charge["captured"] else 0
    return {**found, "amount_capturable": held, "amount_received": received}


class NothingScripted:
    """A peer does as it does: it can be neither scripted nor asked what happened."""

    def script(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    def effects(self, reference: str) -> dict[str, int]:
        raise NotImplementedError(reference)


@pytest.fixture(scope="module")
def peer() -> Iterator[str]:
    """The address of a running localstripe."""
    program = os.environ.get("LOCALSTRIPE") or shutil.which("localstripe")
    if program is None:
        pytest.skip("localstripe is not installed: put it on PATH or name it in $LOCALSTRIPE")
    was_there = ITS_STATE.exists()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)
        if not was_there:
            ITS_STATE.unlink(missing_ok=True)


def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"localstripe did not listen within {READY_SECONDS:g} s")


@pytest.fixture
def stage(peer: str) -> Stage:
    client = stripe.StripeClient(
        "sk_test_peer", base_addresses={"api": peer}, max_network_retries=0,
        http_client=Peer(HttpClient(peer, provider="localstripe")),
    )  # fmt: skip
    return Stage(StripeGateway(client), NothingScripted())


def test_creating_touches_no_card(stage: Stage) -> None:
    intent = stage.created()

    assert (intent.status, intent.amount_minor, intent.currency) == (IntentStatus.UNCONFIRMED, 1250, "GBP")
    assert (intent.reference, intent.key) == (stage.reference, str(stage.key))
    assert (intent.capturable_minor, intent.captured_minor) == (0, 0)
    assert stage.as_it_stands(intent) == intent


def test_confirming_holds_the_money(stage: Stage) -> None:
    intent = stage.authorized()

    assert (intent.status, intent.capturable_minor, intent.captured_minor) == (
        IntentStatus.AUTHORIZED,
        1250,
        0,
    )
    assert stage.as_it_stands(intent) == intent


def test_capturing_takes_it_all_and_only_once(stage: Stage) -> None:
    intent = stage.captured()

    again = stage.gateway.capture(CaptureIntent(key=uuid4(), intent_id=intent.id, amount_minor=1250))

    assert (intent.status, intent.captured_minor, intent.capturable_minor) == (IntentStatus.CAPTURED, 1250, 0)
    assert isinstance(again, Refused)
    assert stage.as_it_stands(intent) == intent


def test_capturing_a_part_takes_that_part(stage: Stage) -> None:
    intent = stage.authorized()

    captured = stage.an_intent(
        stage.gateway.capture(CaptureIntent(key=uuid4(), intent_id=intent.id, amount_minor=1000))
    )

    assert (captured.status, captured.captured_minor, captured.capturable_minor) == (
        IntentStatus.CAPTURED, 1000, 0)  # fmt: skip


def test_capturing_more_than_was_authorized_is_refused(stage: Stage) -> None:
    intent = stage.authorized()

    result = stage.gateway.capture(CaptureIntent(key=uuid4(), intent_id=intent.id, amount_minor=1251))

    assert isinstance(result, Refused)
    assert stage.as_it_stands(intent).status == IntentStatus.AUTHORIZED


@pytest.mark.parametrize("confirmed", [True, False])
def test_voiding_ends_an_intent_before_and_after_it_was_confirmed(stage: Stage, confirmed: bool) -> None:
    intent = stage.authorized() if confirmed else stage.created()

    voided = stage.an_intent(stage.gateway.void(stage.voiding(intent)))

    assert (voided.status, voided.capturable_minor) == (IntentStatus.VOIDED, 0)
    assert isinstance(stage.gateway.confirm(stage.confirmation(intent)), Refused)
    assert stage.as_it_stands(intent) == voided


def test_f30_a_void_after_the_capture_is_refused(stage: Stage) -> None:
    intent = stage.captured()

    assert isinstance(stage.gateway.void(stage.voiding(intent)), Refused)
    assert stage.as_it_stands(intent).status == IntentStatus.CAPTURED


def test_refunds_are_found_by_their_intent_and_one_by_one(stage: Stage) -> None:
    intent = stage.captured()

    made = [stage.a_refund(stage.gateway.refund(stage.refunding(intent, amount))) for amount in (400, 850)]

    assert [(one.status, one.amount_minor, one.intent_id, one.reference) for one in made] == [
        (RefundStatus.SUCCEEDED, 400, intent.id, stage.reference),
        (RefundStatus.SUCCEEDED, 850, intent.id, stage.reference),
    ]
    found = stage.gateway.refunds_of(intent.id)
    assert not isinstance(found, Unavailable)
    assert {one.id for one in found} == {one.id for one in made}
    assert [stage.gateway.retrieve_refund(one.id) for one in made] == made


def test_the_listing_is_complete_and_without_doubles(stage: Stage) -> None:
    made = {stage.created(uuid4()).id for _ in range(7)}

    found: list[str] = []
    after = None
    while True:
        page = stage.gateway.list_intents(after=after, limit=3)
        assert not isinstance(page, Unavailable)
        found += [one.id for one in page.items]
        after = page.next
        if after is None:
            break

    assert made <= set(found)
    assert len(found) == len(set(found))


def test_what_does_not_exist_is_refused(stage: Stage) -> None:
    assert isinstance(stage.gateway.retrieve("pi_none"), Refused)
    assert isinstance(stage.gateway.retrieve_refund("re_none"), Refused)
