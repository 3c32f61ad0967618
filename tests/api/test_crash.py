"""The server dies in the middle of a request: a repeat finds what was done, and nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from config.embedded.programs import Program, answers_http, free_port
from config.embedded.stack import web_command
from config.embedded.state import BASE_DIR
from config.embedded.supervisor import Supervisor
from orders.api.bulk import BATCH
from orders.models import Order
from sagas.models import Saga
from sagas.web.kept import KeptAnswer
from tests.api.counter import BULK, NDJSON, ORDERS, Counter, an_order, ndjson
from tests.waiting import eventually


@dataclass
class Server:
    """The real web server; its one process is killed by a crash point and started again by its master."""

    url: str
    marker: Path

    def send(self, counter: Counter, document: Any, key: str) -> Any:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return self._post(counter, ORDERS, json.dumps(document).encode(), headers)

    def send_bulk(self, counter: Counter, documents: list[Any]) -> Any:
        return self._post(counter, BULK, ndjson(documents), {"Content-Type": NDJSON})

    def _post(self, counter: Counter, path: str, body: bytes, headers: dict[str, str]) -> Any:
        headers["Authorization"] = f"Bearer {counter.token}"
        return urllib3.request(
            "POST", f"{self.url}{path}", body=body, headers=headers, retries=False, timeout=20
        )

    def is_back(self) -> bool:
        return answers_http(f"{self.url}/health/live")()


@pytest.fixture
def server(
    processes: Supervisor, system_env: dict[str, str], tmp_path: Path
) -> Iterator[Callable[[str], Server]]:
    """Start a server that dies once at a named place."""

    def start(crash_point: str) -> Server:
        address, marker = f"127.0.0.1:{free_port()}", tmp_path / "died"
        crash = {"WAYBILL_CRASH_POINT": crash_point, "WAYBILL_CRASH_MARKER": str(marker)}
        program = Program(
            name="web",
            command=tuple(web_command(address)),
            env=system_env | {"WAYBILL_ROLE": "web"} | crash,
            cwd=BASE_DIR,
            ready=answers_http(f"http://{address}/health/live"),
            ready_within_seconds=60,
        )
        processes.start(program)
        return Server(f"http://{address}", marker.with_name(f"died.{crash_point}"))

    yield start
    processes.stop_all(grace_seconds=5)


@pytest.mark.parametrize(
    ("crash_point", "was_done"), [("api.before_commit", False), ("api.after_commit", True)]
)
def test_f05_a_server_that_dies_around_the_commit_leaves_no_key_in_progress(
    transactional_db: None, server: Callable[[str], Server], crash_point: str, was_done: bool
) -> None:
    counter, document = Counter.open("Unlucky Shop"), an_order()
    running = server(crash_point)

    with pytest.raises(urllib3.exceptions.HTTPError):
        running.send(counter, document, "K")
    assert running.marker.exists()
    assert Order.objects.exists() is was_done
    assert eventually(running.is_back, within=30)
    answer = running.send(counter, document, "K")

    assert answer.status == 202
    assert ("Idempotency-Replayed" in answer.headers) is was_done
    assert answer.json()["id"] == str(Order.objects.get().pk)
    assert (Saga.objects.count(), KeptAnswer.objects.count()) == (1, 1)


def test_f05_a_server_that_dies_amid_orders_in_bulk_loses_and_doubles_none_of_them(
    transactional_db: None, server: Callable[[str], Server]
) -> None:
    counter = Counter.open("Unlucky Shop")
    documents = [an_order(external_reference=f"B-{n}") for n in range(BATCH + 50)]
    running = server("api.after_batch")

    with pytest.raises(urllib3.exceptions.HTTPError):
        running.send_bulk(counter, documents)
    assert running.marker.exists()
    before = dict(Order.objects.values_list("external_reference", "pk"))
    assert eventually(running.is_back, within=30)
    answers = [json.loads(line) for line in running.send_bulk(counter, documents).data.splitlines()]

    assert len(before) == BATCH
    assert [answer["external_reference"] for answer in answers] == [f"B-{n}" for n in range(BATCH + 50)]
    assert [answer["existing"] for answer in answers] == [True] * BATCH + [False] * 50
    assert all(answer["id"] == str(before[answer["external_reference"]]) for answer in answers[:BATCH])
    assert (Order.objects.count(), Saga.objects.count()) == (BATCH + 50, BATCH + 50)
