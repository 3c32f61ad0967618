"""What choosing Stripe does to a process: what is imported, written and said, and whose connections a fork has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.state import BASE_DIR
from payments.gateways.base import Intent
from tests.payments.test_stripe_gateway import INTENT, answer, gateway_at
from tests.sagas.resilience.test_http import Server

CHOSEN = """
import sys, django
django.setup()
from payments.gateways import get_gateway
gateway = get_gateway()
print(type(gateway).__name__, "stripe" in sys.modules)
"""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def test_a_fork_speaks_on_connections_of_its_own(server: Server) -> None:
    gateway = gateway_at(server.url)
    server.scripts = [answer("200 OK", INTENT)] * 3
    gateway.retrieve("pi_1")

    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if isinstance(gateway.retrieve("pi_1"), Intent) else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert isinstance(gateway.retrieve("pi_1"), Intent)
    assert (len(server.requests), server.connections) == (3, 2)


def run_python(code: str, tmp_path: Path, **variables: str) -> str:
    env = os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)} | variables
    env["DJANGO_SETTINGS_MODULE"] = "config.settings"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=BASE_DIR, env=env, text=True, check=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


def test_stripes_client_is_imported_only_where_it_was_chosen(tmp_path: Path) -> None:
    chosen = {"PAYMENT_GATEWAY": "stripe", "STRIPE_API_KEY": "sk_test_1"}

    assert run_python(CHOSEN, tmp_path) == "SandboxGateway False\n"
    assert run_python(CHOSEN, tmp_path, **chosen) == "StripeGateway True\n"


def test_stripes_client_leaves_nothing_in_the_home_folder_and_says_nothing(
    server: Server, tmp_path: Path
) -> None:
    code = CHOSEN + "gateway.retrieve('pi_1')"
    told = run_python(
        code, tmp_path, PAYMENT_GATEWAY="stripe", STRIPE_API_KEY="sk_test_1", STRIPE_API_BASE=server.url,
        WAYBILL_LOG_LEVEL="INFO",
    )  # fmt: skip

    assert told == "StripeGateway True\n"
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []
