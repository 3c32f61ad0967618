"""Webhooks over real HTTP, the real engine and the real sandbox: what they wake, settle and undo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from prometheus_client import REGISTRY
from pytest_django.live_server_helper import LiveServer

from config.embedded.state import BASE_DIR
from payments import contract, gateways
from payments.gateways.sandbox import SandboxGateway
from payments.loops import ask_after, patrol
from payments.models import Payment, Refund
from payments.tasks import READ_INBOX
from sagas.clock import database_now, travel
from sagas.engine import batch
from sagas.engine.work import work
from sagas.inbox import work as inbox
from sagas.inbox.rows import IncomingWebhook
from sagas.log import read
from sagas.models import Saga, SagaStep
from sagas.sql import rows
from tests.payments.letters import SECRET, with_the_secret
from tests.payments.test_in_a_saga import ends, give_back, happened, pay, registered
from tests.payments.till import wrong_books
from tests.sagas import toys
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.waiting import eventually

READ_ONCE = """
import django
django.setup()
from sagas.inbox.work import read
read("inbox.payments")
"""
EVERY_QUEUE = frozenset({"payments", "sagas"})


@pytest.fixture(scope="module")
def sandbox(live_server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox that tells the live server what happens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENT_WEBHOOK_SECRETS", SECRET)
        door = f"{live_server.url}/webhooks/payments/sandbox/"
        with running_sandbox(
            tmp_path_factory.mktemp("s"), "--profile", "quiet", "--webhooks", door
        ) as running:
            yield running


@pytest.fixture
def shop(
    transactional_db: None, sandbox: SandboxProcess, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[UUID]:
    """A shop whose orders are only paid, by sagas of their own."""
    with_the_secret(settings)
    gateway = SandboxGateway(sandbox.client())
    monkeypatch.setattr(gateways, "get_gateway", lambda: gateway)
    # Retries wait their longest, so that none comes by chance while a test looks.
    monkeypatch.setattr(batch.RNG, "uniform", lambda _low, high: high)
    with registered() as shop_id:
        yield shop_id
    assert wrong_books() == []


def came(reference: str, count: int, *, of: str = "") -> None:
    """Wait until so many webhooks about a payment have come in."""
    intent = Payment.objects.get(reference=reference).provider_id
    found = IncomingWebhook.objects.filter(object_id=intent, type__contains=of)
    assert eventually(lambda: found.count() == count), found.values_list("type", "state")


def read_all(*, until: Callable[[], bool] = lambda: False) -> None:
    """Read what came, travelling ahead to what is to be read later, as far as an hour."""
    for _ in range(20):
        inbox.read(READ_INBOX)
        wait = rows("SELECT min(wake_at) - waybill_now() FROM sagas_incomingwebhook")[0][0]
        if wait is None or until():
            return
        offset = rows("SELECT coalesce(nullif(current_setting('waybill.offset', true), ''), '0 s')::interval")
        travel((offset[0][0] + wait).total_seconds() + 0.001)


def fates(reference: str) -> dict[str, str]:
    """What became of the webhooks about a payment, by their types."""
    intent = Payment.objects.get(reference=reference).provider_id
    found = IncomingWebhook.objects.filter(object_id=intent).order_by("id")
    return {w.type.removeprefix("payment_intent."): f"{w.state}: {w.code}" for w in found}


def do(sandbox: SandboxProcess, what: str, reference: str, **more: Any) -> None:
    """Let the bank do something behind our back."""
    intent = Payment.objects.get(reference=reference).provider_id
    sandbox.control("POST", "/sandbox/doings", {"what": what, "intent": intent, **more})


def facts(reference: str) -> list[str]:
    return [r.type.removeprefix("payments.") for r in read(Payment.objects.get(reference=reference).pk)]


def test_the_webhooks_of_an_ordinary_payment_are_old_news(shop: UUID, sandbox: SandboxProcess) -> None:
    pay(shop, "PLAIN")
    came("PLAIN", 3)

    read_all()

    assert fates("PLAIN") == dict.fromkeys(
        ("created", "amount_capturable_updated", "succeeded"), "ignored: known"
    )
    assert facts("PLAIN") == ["PaymentAuthorized", "PaymentCaptured"]
    assert happened(sandbox, "PLAIN") == {"holds": 1, "captures": 1, "voids": 0, "refunds": 0}


def test_f18_webhooks_that_come_before_every_answer_are_kept_and_change_nothing(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    sandbox.script("webhooks", "EARLY", "early")
    pay(shop, "EARLY")
    taken = IncomingWebhook.objects.count()

    read_all()

    assert taken == 3
    assert set(fates("EARLY").values()) == {"ignored: known"}
    assert ends("EARLY") == ("completed", "none", "captured")
    assert facts("EARLY") == ["PaymentAuthorized", "PaymentCaptured"]


def test_f18_f17_read_before_the_answer_and_doubled_it_waits_for_its_payment(
    shop: UUID, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.script("webhooks", "EAGER", "early")
    gateway, seen = gateways.get_gateway(), []
    honest = gateway.create

    def create(request: Any) -> Any:
        answer = honest(request)
        inbox_row = IncomingWebhook.objects.get()
        seen.append((inbox_row.type, Payment.objects.get().provider_id))
        connection.close()  # this is a thread of the engine, which has no business with rows
        return answer

    monkeypatch.setattr(gateway, "create", create)
    with ThreadPoolExecutor(1) as reader:
        busy = True

        def read_on() -> None:
            while busy:
                inbox.read(READ_INBOX)
                time.sleep(0.01)
            connection.close()

        reading = reader.submit(read_on)
        pay(shop, "EAGER")
        busy = False
        reading.result()
    read_all()

    assert seen == [("payment_intent.created", "")]
    assert set(fates("EAGER").values()) == {"ignored: known"}
    assert ends("EAGER") == ("completed", "none", "captured")


@pytest.mark.parametrize(("action", "params", "count"), [("duplicate", {"copies": 10}, 3), ("twin", {}, 6)])
def test_f17_doubled_webhooks_are_applied_once(
    shop: UUID, sandbox: SandboxProcess, action: str, params: dict[str, int], count: int
) -> None:
    name = f"TWICE-{action}"
    sandbox.script("webhooks", name, action, **params)
    pay(shop, name)
    came(name, count)

    read_all()

    states = IncomingWebhook.objects.values_list("code", flat=True)
    assert sorted(set(states)) == (["known"] if action == "duplicate" else ["duplicate", "known"])
    assert facts(name) == ["PaymentAuthorized", "PaymentCaptured"]
    assert happened(sandbox, name) == {"holds": 1, "captures": 1, "voids": 0, "refunds": 0}


def test_f13_a_webhook_wakes_the_step_that_does_not_know_and_it_settles_itself(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    sandbox.script("authorize", "LOST", "do_then_drop")
    begin(shop, "LOST")
    work(contract.AUTHORIZE_PAYMENT, queues=EVERY_QUEUE, seconds=5)
    later = database_now() + timedelta(minutes=5)
    SagaStep.objects.filter(name=contract.AUTHORIZE_PAYMENT).update(wake_at=later)
    unknown = SagaStep.objects.get(name=contract.AUTHORIZE_PAYMENT)
    came("LOST", 2)

    inbox.read(READ_INBOX)
    woken = SagaStep.objects.get(name=contract.AUTHORIZE_PAYMENT)
    work(contract.AUTHORIZE_PAYMENT, queues=EVERY_QUEUE, seconds=5)

    assert (unknown.verdict, unknown.state) == ("unknown", "due")
    assert woken.wake_at is not None
    assert woken.wake_at < later
    assert (woken.attempt, woken.epoch) == (unknown.attempt, unknown.epoch)
    assert fates("LOST")["amount_capturable_updated"] == "applied: step_woken"
    assert SagaStep.objects.get(name=contract.AUTHORIZE_PAYMENT).state == "done"
    assert Payment.objects.get().authorized_minor == 1000
    assert happened(sandbox, "LOST")["holds"] == 1


def begin(shop: UUID, reference: str) -> None:
    """Start a saga without running it."""
    pay(shop, reference, settle=False)


@pytest.mark.parametrize("name", ["POOR", "REFUSED-POOR"])
def test_f75_a_hold_that_comes_through_after_we_gave_up_is_let_go(
    shop: UUID, sandbox: SandboxProcess, name: str
) -> None:
    sandbox.script("authorize", name, "decline", code="insufficient_funds")
    pay(shop, name)
    between = ends(name)
    do(sandbox, "authorize", name)
    came(name, 1, of="capturable")

    read_all()
    reopened = ends(name)
    toys.settle()

    assert between == ("compensated", "none", "declined")
    assert reopened == ("compensating", "none", "authorized")
    assert fates(name)["amount_capturable_updated"] == "applied: late_success"
    assert ends(name) == ("compensated", "none", "voided")
    assert happened(sandbox, name)["voids"] == 1
    assert facts(name) == ["PaymentDeclined", "PaymentAuthorized", "PaymentVoided"]


def test_f75_without_a_webhook_nobody_hears_of_it_but_it_is_told_only_once_when_they_come(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    sandbox.script("authorize", "TWIN-LATE", "decline", code="insufficient_funds")
    sandbox.script("webhooks", "TWIN-LATE", "twin")
    pay(shop, "TWIN-LATE")
    do(sandbox, "authorize", "TWIN-LATE")
    came("TWIN-LATE", 2, of="capturable")

    read_all()
    toys.settle()
    read_all()

    assert happened(sandbox, "TWIN-LATE")["voids"] == 1
    assert facts("TWIN-LATE").count("PaymentAuthorized") == 1


def test_f23_a_hold_that_ran_out_turns_its_saga_back_at_the_capture(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    begin(shop, "RANOUT")
    work(contract.AUTHORIZE_PAYMENT, queues=frozenset({"payments-only"}), seconds=5)
    do(sandbox, "expire", "RANOUT")
    came("RANOUT", 1, of="canceled")

    read_all()
    between = Payment.objects.get().state
    toys.settle()

    assert between == "expired"
    assert ends("RANOUT") == ("compensated", "none", "expired")
    assert happened(sandbox, "RANOUT")["captures"] == 0


def test_f25_a_capture_taken_back_leaves_the_saga_as_it_is_and_tells(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    pay(shop, "BACK")
    do(sandbox, "reverse", "BACK")
    came("BACK", 1, of="failed")

    read_all()

    payment = Payment.objects.get()
    assert ends("BACK") == ("completed", "none", "captured")
    assert (payment.reversed_minor, payment.flag) == (1000, "reversed")
    assert facts("BACK")[-1] == "CaptureReversed"


def test_f31_a_refund_that_comes_back_after_its_saga_has_ended_is_owed_again(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    pay(shop, "RETURNED")
    give_back(shop, "RETURNED", 400)
    refund = Refund.objects.get()
    sandbox.control("POST", "/sandbox/doings", {"what": "return", "refund": refund.provider_id})
    came("RETURNED", 2, of="refund")

    read_all()

    payment = Payment.objects.get()
    assert Saga.objects.get(reference="RETURNED/C-1").state == "completed"
    assert Refund.objects.get().state == "failed"
    assert (payment.refunded_minor, payment.refunding_minor) == (0, 400)
    assert facts("RETURNED")[-1] == "RefundReturned"


def test_f20_with_every_webhook_dropped_the_loops_find_the_same_end_only_later(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    sandbox.script("webhooks", "SILENT", "never")
    begin(shop, "SILENT")
    work(contract.AUTHORIZE_PAYMENT, queues=frozenset({"payments-only"}), seconds=5)
    do(sandbox, "expire", "SILENT")
    Saga.objects.update(hold="parked", hold_reason="rehearsal", hold_since=database_now())
    travel(16 * 60)

    seen = patrol(now=database_now())
    asked = ask_after(now=database_now())

    assert (seen, asked, IncomingWebhook.objects.count()) == (1, 1, 0)
    assert Payment.objects.get().state == "expired"


def test_f20_what_a_step_is_at_work_on_is_left_to_it(shop: UUID, sandbox: SandboxProcess) -> None:
    sandbox.script("webhooks", "BUSY", "never")
    sandbox.script("authorize", "BUSY", "do_then_drop")
    begin(shop, "BUSY")
    work(contract.AUTHORIZE_PAYMENT, queues=EVERY_QUEUE, seconds=5)
    travel(16 * 60)

    patrol(now=database_now())
    ask_after(now=database_now())
    between = Payment.objects.get().state
    toys.settle()

    assert between == "unknown"
    assert ends("BUSY") == ("completed", "none", "captured")


def test_f57_a_reader_killed_after_it_asked_and_before_its_commit_has_written_nothing_and_the_next_one_does(
    shop: UUID, sandbox: SandboxProcess, system_env: dict[str, str]
) -> None:
    sandbox.script("authorize", "KILLED", "decline", code="insufficient_funds")
    pay(shop, "KILLED")
    do(sandbox, "authorize", "KILLED")
    came("KILLED", 1, of="capturable")
    env = {"WAYBILL_CRASH_POINT": "inbox.after_call_before_commit", "WAYBILL_SANDBOX_URL": sandbox.url}

    died = subprocess.run(
        [sys.executable, "-c", READ_ONCE], cwd=BASE_DIR, env=os.environ | system_env | env, check=False
    ).returncode
    between = (ends("KILLED"), set(fates("KILLED").values()))
    read_all()
    toys.settle()

    assert died == -signal.SIGKILL
    assert between[0] == ("compensated", "none", "declined")
    assert "received: " in between[1]
    assert ends("KILLED") == ("compensated", "none", "voided")
    assert happened(sandbox, "KILLED")["voids"] == 1


def test_f21_a_forged_webhook_of_the_sandbox_leaves_no_row_and_is_counted(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    sandbox.script("webhooks", "FORGED", "forge")
    labels = {"source": "payments.sandbox", "outcome": "rejected"}
    before = REGISTRY.get_sample_value("waybill_webhooks_received_total", labels) or 0

    pay(shop, "FORGED")

    assert eventually(
        lambda: (REGISTRY.get_sample_value("waybill_webhooks_received_total", labels) or 0) == before + 3
    )
    assert IncomingWebhook.objects.count() == 0
    assert ends("FORGED") == ("completed", "none", "captured")


def test_f22_a_lie_of_the_webhook_changes_nothing(shop: UUID, sandbox: SandboxProcess) -> None:
    sandbox.script("webhooks", "LIE", "lie", amount=1, currency="usd")
    pay(shop, "LIE")
    came("LIE", 3)

    read_all()

    payment = Payment.objects.get()
    assert (payment.captured_minor, payment.mismatch, payment.flag) == (1000, "", "")
    assert facts("LIE") == ["PaymentAuthorized", "PaymentCaptured"]


def test_f19_forty_orders_with_shuffled_doubled_and_lost_webhooks_end_as_without(
    shop: UUID, sandbox: SandboxProcess
) -> None:
    names = [f"{'REFUSED-' if n % 5 == 0 else ''}MIX-{n}" for n in range(40)]
    for n, name in enumerate(names):
        action = ("shuffle", "duplicate", "twin", "never")[n % 4]
        sandbox.script("webhooks", name, action, seconds=0.5)
    pay(shop, *names)
    # Each tells of its three changes; twins twice of each, a fourth of all of none. Copies are one row.
    assert eventually(lambda: IncomingWebhook.objects.count() == 10 * (3 + 3 + 6), within=60)

    read_all()

    assert {ends(n) for n in names if "REFUSED" in n} == {("compensated", "none", "voided")}
    assert {ends(n) for n in names if "REFUSED" not in n} == {("completed", "none", "captured")}
    assert set(IncomingWebhook.objects.values_list("state", flat=True)) == {"ignored"}
