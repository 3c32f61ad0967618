"""`make chaos-provider`: thousands of orders on a bad day of their providers.

At its end the audit finds nothing, and every order's end has an explanation. `SEED` decides who meets what, `ORDERS`
how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

from config.audit import audit
from config.audit.listing import fetch
from config.demo.run import at_rest
from config.embedded.programs import Program
from config.embedded.stack import MANAGE
from config.embedded.state import BASE_DIR
from config.embedded.supervisor import Supervisor
from inventory.commands import MoveStock, ensure_locations, record_movements
from orders.models import Order
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.models import Saga
from sagas.sql import rows
from tests.chaos.provider import SKUS, BadDay, explanations, teller, watch, write_profile
from tests.conftest import StartWorker
from tests.orders.factories import a_shop
from tests.payments.letters import SECRET
from tests.sandbox_process import SandboxProcess, running_sandbox

SEED = int(os.environ.get("SEED", "1"))
ORDERS = int(os.environ.get("ORDERS", "5000"))

RULES = {
    "PAYMENT_WEBHOOK_SECRETS": SECRET,
    "PAYMENT_ACTION_SECONDS": "20",
    "WAYBILL_CALL_TIMEOUT_SECONDS": "2",
    "WAYBILL_LEASE_SECONDS": "20",
    "WAYBILL_CIRCUIT_FAILURES": "5",
    "WAYBILL_CIRCUIT_MINIMUM_VOLUME": "20",
    "WAYBILL_CIRCUIT_RECOVERY_SECONDS": "2",
}
OPEN = "SELECT count(*) FROM sagas_saga WHERE finished_at IS NULL AND hold <> 'parked'"
UNREAD = "SELECT count(*) FROM sagas_incomingwebhook WHERE settled_at IS NULL AND state = 'received'"


@pytest.fixture
def sandbox(live_server: LiveServer, tmp_path: Path) -> Iterator[SandboxProcess]:
    """Providers on their bad day, who tell the web process what happens."""
    door = f"{live_server.url}/webhooks/payments/sandbox/"
    profile = str(write_profile(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENT_WEBHOOK_SECRETS", SECRET)
        with running_sandbox(
            tmp_path, "--profile", profile, "--seed", str(SEED), "--webhooks", door
        ) as running:
            yield running


@pytest.fixture
def day(
    transactional_db: None, sandbox: SandboxProcess, celery_worker_process: StartWorker, processes: Supervisor,
    system_env: dict[str, str],
) -> Iterator[BadDay]:  # fmt: skip
    """A shop with enough of everything but the last SKU, real workers and real loops."""
    env = {"WAYBILL_SANDBOX_URL": sandbox.url} | RULES
    mine = replace(
        django_settings.WAYBILL,
        sandbox_url=sandbox.url,
        payment_webhook_secrets=(SECRET,),
        call_timeout_seconds=2.0,
    )
    with override_settings(WAYBILL=mine):
        shop_id = a_shop().pk
        ensure_locations([(shop_id, "main")], now=database_now())
        moves = [
            MoveStock(uuid7(), shop_id, f"SKU-{n}", "receipt", 40 + 10 * ORDERS // (n + 3))
            for n in range(SKUS)
        ]
        record_movements(moves, now=database_now())
        for _ in range(2):
            celery_worker_process(pool_size=2, env=env)
        processes.start(
            Program(
                name="keep",
                command=(*MANAGE, "keep"),
                env=system_env | env | {"WAYBILL_ROLE": "keep"},
                cwd=BASE_DIR,
            )
        )
        yield BadDay(SEED, ORDERS, shop_id, sandbox, teller())


@pytest.mark.provider
@pytest.mark.timeout(1800)
def test_a_bad_day_of_the_providers_ends_with_balanced_books_and_no_order_unexplained(
    day: BadDay, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        day.told(f"seed {SEED}, {ORDERS:,} orders")
        day.run()
        day.told("all placed, both providers are up")
        rested = watch(_is_over, within=900, each=day.answer_banks, told=day.told)
        told, unexplained = explanations()
        for why, count in told.most_common():
            day.told(f"{count:6,}  {why}")
        day.told(f"acted: {dict(day.acted)}; {_webhooks()}")

    assert rested, f"seed {SEED}: {rows(OPEN)[0][0]} sagas are still open"
    assert unexplained == []
    assert Order.objects.count() == ORDERS
    assert Saga.objects.filter(finished_at__isnull=True).exclude(hold="parked").count() == 0
    assert told["confirmed"] > ORDERS / 2
    assert _breaches(day.sandbox) == []


def _is_over() -> bool:
    return not rows(OPEN)[0][0] and not rows(UNREAD)[0][0] and at_rest()


def _webhooks() -> dict[str, int]:
    return dict(rows("SELECT state, count(*) FROM sagas_incomingwebhook GROUP BY 1 ORDER BY 1"))


def _breaches(sandbox: SandboxProcess) -> list[Any]:
    found = audit(fetch(sandbox.url))
    return [f"{f.name}: {f.skipped or f.examples}" for f in found if f.breaches or f.skipped]
