"""`make up` as a person meets it: it greets, it serves, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3

from config.embedded.processes import ProcessBook, Recorded
from config.embedded.programs import free_port
from config.embedded.stack import MANAGE
from config.embedded.state import BASE_DIR, State
from tests.waiting import eventually

#: A whole system starts here up to three times; a busy machine takes its time.
pytestmark = pytest.mark.timeout(300)

EXPECTED = ["keep", "postgres", "sandbox", "valkey", "web", "worker-1", "worker-inbox", "worker-webhooks"]


def _mind_ctrl_c() -> None:
    """Whoever runs these tests in the background has it ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Up:
    """`manage.py up` in a process of its own, on a state of its own."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.port = free_port()
        self.output = state.root / "output"
        self.env = {
            key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}
        }
        self.env |= {"WAYBILL_STATE": str(state.root)}

    def start(self) -> None:
        with self.output.open("w") as out:
            self.process = subprocess.Popen(
                [*MANAGE, "up", "--port", str(self.port)],
                cwd=BASE_DIR,
                env=self.env,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=_mind_ctrl_c,  # noqa: PLW1509 - no thread of ours holds a lock here
            )
        assert eventually(lambda: "Ctrl-C" in self.said() or self.process.poll() is not None, within=90)
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        return self.output.read_text()

    def manage(self, command: str) -> str:
        return subprocess.run(
            [*MANAGE, command], cwd=BASE_DIR, env=self.env, capture_output=True, text=True, check=False
        ).stdout

    def children(self) -> list[Recorded]:
        return [child for child in ProcessBook(self.state.processes).entries() if child.alive]

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", f"http://127.0.0.1:{self.port}{path}", timeout=10)


@pytest.fixture
def up() -> Iterator[Up]:
    state = State(Path(tempfile.mkdtemp(prefix="waybill-test-up-")))
    state.root.chmod(0o711)
    up = Up(state)
    yield up
    if up.process.poll() is None:
        up.process.kill()
        up.process.wait()
    up.manage("reset")
    shutil.rmtree(state.root)


def test_it_greets_serves_and_leaves_nothing_behind(up: Up) -> None:
    up.start()

    children = up.children()
    assert [child.name for child in children] == EXPECTED
    assert json.loads(up.get("/health/ready").data)["status"] == "ok"
    assert b"waybill_" in up.get("/metrics").data
    assert log_in(up).status == 302
    assert eventually(lambda: hears_of_a_payment(up), within=30)

    up.process.send_signal(signal.SIGINT)

    assert up.process.wait(timeout=30) == 0
    assert up.said().endswith("Stopped.\n")
    assert [child.name for child in children if child.alive] == []


def hears_of_a_payment(up: Up) -> bool:
    """Whether the gateway's webhook about a payment made beside Waybill is taken in, and waits for its payment."""
    gateway = f"{up.state.noted()['sandbox_url']}/v1/payment_intents"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    urllib3.request("POST", gateway, body="amount=500&currency=gbp", headers=form, timeout=10)
    told = re.search(rb'waybill_webhooks_open\{source="payments.sandbox"\} (\d+)', up.get("/metrics").data)
    return told is not None and int(told[1]) > 0


def log_in(up: Up) -> urllib3.BaseHTTPResponse:
    """Log in at the admin with the password the greeting shows."""
    password = re.search(r"staff / (\S+)", up.said())
    page = up.get("/admin/login/")
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.data.decode())
    assert password is not None
    assert token is not None
    return urllib3.request(
        "POST",
        f"http://127.0.0.1:{up.port}/admin/login/?next=/admin/",
        body=urlencode({"username": "staff", "password": password[1], "csrfmiddlewaretoken": token[1]}),
        headers={
            "Cookie": page.headers["Set-Cookie"].split(";")[0],
            "Content-Type": "application/x-www-form-urlencoded",
        },
        redirect=False,
        timeout=10,
    )


def test_a_run_whose_supervisor_was_killed_is_ended_and_begun_again(up: Up) -> None:
    up.start()
    children = up.children()
    up.process.kill()
    up.process.wait()

    up.manage("down")

    assert [child.name for child in children if child.alive] == []
    up.start()
    assert json.loads(up.get("/health/ready").data)["status"] == "ok"
