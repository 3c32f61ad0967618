"""A real worker reads what came in at a real web server, woken by the bell alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.request import Request, urlopen

import pytest

from config.embedded.programs import Program, answers_http, free_port
from config.embedded.stack import web_command
from config.embedded.state import BASE_DIR
from config.embedded.supervisor import Supervisor
from payments.gateways.base import IntentStatus
from payments.tasks import SIGNATURE
from sagas.inbox.rows import IncomingWebhook
from sagas.inbox.signing import signature
from tests.conftest import StartWorker
from tests.payments.factories import a_payment
from tests.payments.letters import SECRET, about_intent
from tests.payments.test_inbox import a_intent
from tests.waiting import eventually


@pytest.mark.timeout(180)
def test_what_comes_in_over_http_is_read_by_a_worker_at_once(
    processes: Supervisor, system_env: dict[str, str], celery_worker_process: StartWorker
) -> None:
    a_payment(provider_id="pi_1", state="authorized")
    env = {**system_env, "PAYMENT_WEBHOOK_SECRETS": f"whsec_next {SECRET}"}
    port = free_port()
    processes.start(
        Program(
            name="web", command=tuple(web_command(f"127.0.0.1:{port}")), env={**env, "WAYBILL_ROLE": "web"},
            cwd=BASE_DIR, ready=answers_http(f"http://127.0.0.1:{port}/health/live"),
        )
    )  # fmt: skip
    celery_worker_process(queues=("inbox",), env=env)
    said = about_intent(a_intent(IntentStatus.AUTHORIZED))
    event = {
        "id": "evt_1",
        "type": "payment_intent.amount_capturable_updated",
        "created": 1,
        "data": {"object": said},
    }
    text, stamp = json.dumps(event).encode(), str(int(datetime.now(UTC).timestamp()))
    header = {SIGNATURE: f"t={stamp},v1={signature(SECRET, stamp, text).decode()}"}

    request = Request(f"http://127.0.0.1:{port}/webhooks/payments/sandbox/", text, header, method="POST")
    with urlopen(request, timeout=10) as answer:
        status = answer.status

    assert status == 200
    assert eventually(lambda: IncomingWebhook.objects.filter(state="ignored", code="known").exists())
