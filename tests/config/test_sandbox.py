"""The sandbox as a process: what it answered is on record, whatever happens; scripts do what they say."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from sagas.resilience.http import Answer, HttpClient, NotSent, OutcomeUnknown
from tests.sandbox_process import SandboxProcess, running_sandbox

CARD = {"currency": "gbp", "capture_method": "manual", "payment_method": "pm_card_visa"}
INTENTS = "/v1/payment_intents"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture
def sandbox(shared: SandboxProcess) -> SandboxProcess:
    shared.control("POST", "/sandbox/reset")
    return shared


@pytest.fixture
def client(sandbox: SandboxProcess) -> HttpClient:
    return sandbox.client()


def create(client: HttpClient, reference: str = "A-1", key: str | None = None, amount: int = 500) -> Answer:
    fields = {**CARD, "amount": amount, "metadata": {"reference": reference}}
    return client.post_form(INTENTS, fields, operation="create", key=key)


def act(client: HttpClient, intent: str, what: str, key: str | None = None, **fields: Any) -> Answer:
    return client.post_form(f"{INTENTS}/{intent}/{what}", fields, operation=what, key=key)


def authorized(client: HttpClient, reference: str = "A-1") -> str:
    intent: str = create(client, reference).json["id"]
    assert act(client, intent, "confirm").ok
    return intent


def book(client: HttpClient, reference: str, key: str | None = None, country: str = "GB") -> Answer:
    body = {"reference": reference, "ship_to": {"country": country}, "units": 2}
    return client.post_json("/carrier/v1/shipments", body, operation="book", key=key)


def code_of(answer: Answer) -> str:
    return str(answer.json["error"]["code"])


def test_a_kill_in_the_middle_of_load_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--profile", "quiet") as sandbox:
        client = sandbox.client()
        answered: list[tuple[str, str, str]] = []
        first_answers = threading.Event()

        def work(number: int) -> None:
            for i in range(10_000):
                reference = f"{number}-{i}"
                try:
                    intent = create(client, reference, f"c{reference}").json["id"]
                    act(client, intent, "confirm", f"f{reference}")
                    label = book(client, reference, f"b{reference}").json["id"]
                except (NotSent, OutcomeUnknown):
                    return
                answered.append((reference, intent, label))
                if len(answered) > 150:
                    first_answers.set()

        with ThreadPoolExecutor(8) as pool:
            for number in range(8):
                pool.submit(work, number)
            assert first_answers.wait(30)
            sandbox.kill()
        sandbox.start()

        for reference, intent, label in answered:
            assert client.get(f"{INTENTS}/{intent}", operation="look").json["status"] == "requires_capture"
            assert (
                client.get(f"/carrier/v1/shipments/{label}", operation="look").json["reference"] == reference
            )
            again = book(client, reference, f"b{reference}")
            assert (again.json["id"], again.headers["idempotent-replayed"]) == (label, "true")
            effects = sandbox.effects(reference)
            assert (effects["holds"], effects["labels"], effects["held_minor"]) == (1, 1, 500)


def test_manage_py_starts_the_same_server_and_sigterm_ends_it(tmp_path: Path) -> None:
    sandbox = SandboxProcess(tmp_path, "--profile", "quiet", command=("manage.py", "sandbox"))
    sandbox.start()

    health = sandbox.control("GET", "/health")

    assert (health["status"], health["seed"], health["profile"]) == ("ok", 1, "quiet")
    assert sandbox.stop() == 0


def test_a_second_sandbox_on_the_same_file_is_refused(tmp_path: Path) -> None:
    with running_sandbox(tmp_path), pytest.raises(AssertionError, match="does another sandbox hold it"):
        SandboxProcess(tmp_path).start()


def test_a_bad_profile_is_named(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text('[{"operation": "authorise", "action": "drop", "share": 1}]')

    with pytest.raises(AssertionError, match="unknown operation 'authorise'"):
        SandboxProcess(tmp_path, "--profile", str(file)).start()
    with pytest.raises(AssertionError, match="neither demo nor quiet"):
        SandboxProcess(tmp_path, "--profile", "loud").start()


def test_the_same_key_gets_the_same_answer_also_a_refusal(
    sandbox: SandboxProcess, client: HttpClient
) -> None:
    sandbox.script("authorize", "A-1", "decline", code="lost_card", times=1)
    intent = create(client).json["id"]

    first, again = (act(client, intent, "confirm", "k") for _ in range(2))

    assert (first.status, first.json["error"]["decline_code"]) == (402, "lost_card")
    assert (again.status, again.json) == (402, first.json)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


def test_the_same_key_with_another_body_or_path_is_a_conflict(client: HttpClient) -> None:
    intent = create(client, key="k").json["id"]

    for answer in (create(client, key="k", amount=501), act(client, intent, "confirm", "k")):
        assert (answer.status, answer.json["error"]["type"]) == (400, "idempotency_error")
        assert "code" not in answer.json["error"]


def test_the_carrier_has_a_code_for_a_key_used_twice(client: HttpClient) -> None:
    book(client, "A-1", key="k")

    answer = book(client, "A-2", key="k")

    assert (answer.status, code_of(answer)) == (409, "idempotency_key_reused")


def test_a_key_belongs_to_one_provider(client: HttpClient) -> None:
    assert create(client, key="k").status == 200
    assert book(client, "A-1", key="k").status == 201


def test_a_twin_in_flight_gets_409(sandbox: SandboxProcess, client: HttpClient) -> None:
    sandbox.script("capture", "A-1", "delay", seconds=0.5)
    intent = authorized(client)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(act, client, intent, "capture", "k")
        time.sleep(0.2)
        twin = act(client, intent, "capture", "k")
        done = first.result()

    assert (twin.status, code_of(twin)) == (409, "idempotency_key_in_use")
    assert done.json["status"] == "succeeded"
    assert sandbox.effects("A-1")["captures"] == 1


def test_f75_a_delayed_call_is_done_after_the_caller_gave_up(sandbox: SandboxProcess) -> None:
    sandbox.script("authorize", "A-1", "delay", seconds=0.6)
    impatient = sandbox.client(connect_timeout=0.2, read_timeout=0.1)
    intent = create(sandbox.client()).json["id"]

    with pytest.raises(OutcomeUnknown):
        act(impatient, intent, "confirm", "k")
    before = sandbox.effects("A-1")["holds"]
    time.sleep(0.6)

    assert (before, sandbox.effects("A-1")["holds"]) == (0, 1)


def test_a_delay_may_come_after_the_work(sandbox: SandboxProcess) -> None:
    sandbox.script("authorize", "A-1", "delay", seconds=0.6, done_first=True)
    impatient = sandbox.client(connect_timeout=0.2, read_timeout=0.1)
    intent = create(sandbox.client()).json["id"]

    with pytest.raises(OutcomeUnknown):
        act(impatient, intent, "confirm", "k")

    assert sandbox.effects("A-1")["holds"] == 1


def test_scripts_of_one_pair_are_met_in_turn(sandbox: SandboxProcess, client: HttpClient) -> None:
    sandbox.script("book", "A-1", "rate_limit", retry_after=7)
    sandbox.script("book", "A-1", "do_then_drop")
    sandbox.script("book", "A-1", "unavailable", times=2)

    limited = book(client, "A-1", "k")
    with pytest.raises(OutcomeUnknown):
        book(client, "A-1", "k")
    down = [book(client, "A-1", "k") for _ in range(2)]
    replayed = book(client, "A-1", "k")

    assert (limited.status, limited.headers["retry-after"]) == (429, "7")
    assert [(one.status, code_of(one)) for one in down] == [(503, "temporarily_unavailable")] * 2
    assert replayed.headers["idempotent-replayed"] == "true"
    assert sandbox.effects("A-1")["labels"] == 1
    assert sandbox.effects("A-1")["attempts"] == {"book": 5}


def test_what_has_struck_is_remembered_over_a_restart(sandbox: SandboxProcess, client: HttpClient) -> None:
    sandbox.script("book", "A-1", "drop")
    with pytest.raises(OutcomeUnknown):
        book(client, "A-1")

    sandbox.kill()
    sandbox.start()

    assert book(client, "A-1").status == 201


def test_a_script_for_everybody_strikes_each_reference_and_exact_ones_go_first(
    sandbox: SandboxProcess, client: HttpClient
) -> None:
    sandbox.script("*", "*", "rate_limit")
    sandbox.script("book", "A-1", "refuse", code="too_heavy")

    statuses = [book(client, reference).status for reference in ("A-1", "A-1", "A-2", "A-2", "A-3")]

    assert statuses == [422, 422, 429, 201, 429]


def test_f16_an_outage_lasts_its_time_for_everybody(sandbox: SandboxProcess, client: HttpClient) -> None:
    sandbox.script("book", "*", "unavailable", seconds=600)

    during = [book(client, "A-1"), book(client, "A-1"), book(client, "A-2")]
    sandbox.move_clock(599)
    at_the_end = book(client, "A-3")
    sandbox.move_clock(601)
    after = book(client, "A-1")

    assert [one.status for one in during] == [503, 503, 503]
    assert 590 <= int(during[0].headers["retry-after"]) <= 600
    assert (at_the_end.status, at_the_end.headers["retry-after"]) == (503, "1")
    assert after.status == 201


def test_reads_can_be_scripted_too(sandbox: SandboxProcess, client: HttpClient) -> None:
    intent = create(client).json["id"]
    sandbox.script("retrieve", "A-1", "unavailable")

    assert client.get(f"{INTENTS}/{intent}", operation="look").status == 503
    assert client.get(f"{INTENTS}/{intent}", operation="look").status == 200


def test_scripts_can_be_seen_replaced_and_removed(sandbox: SandboxProcess, client: HttpClient) -> None:
    sandbox.script("book", "A-1", "drop")
    sandbox.control("PUT", "/sandbox/scripts", {"operation": "book", "reference": "A-1", "action": "refuse"})
    seen = sandbox.control("GET", "/sandbox/scripts")["data"]

    sandbox.control("DELETE", "/sandbox/scripts?operation=book&reference=A-1")

    assert [(one["operation"], one["reference"], one["action"]) for one in seen] == [
        ("book", "A-1", "refuse")
    ]
    assert sandbox.control("GET", "/sandbox/scripts")["data"] == []
    assert book(client, "A-1").status == 201


@pytest.mark.parametrize(
    "body",
    [
        {"operation": "book", "action": "explode"},
        {"operation": "fly", "action": "drop"},
        {"operation": "book"},
        {"operation": "book", "action": "drop", "parms": {}},
        {"operation": "book", "action": "drop", "params": [1]},
        {"operation": "book", "action": "drop", "share": 2},
    ],
)
def test_a_script_that_cannot_be_followed_is_refused(sandbox: SandboxProcess, body: dict[str, Any]) -> None:
    with pytest.raises(HTTPError) as refused:
        sandbox.control("PUT", "/sandbox/scripts", body)

    assert refused.value.code == 400
    refused.value.close()


def test_f15_a_key_is_forgotten_after_a_day(sandbox: SandboxProcess, client: HttpClient) -> None:
    first = book(client, "A-1", "k").json["id"]
    sandbox.move_clock(23 * 3600)
    within = book(client, "A-1", "k").json["id"]
    sandbox.move_clock(25 * 3600)

    after = book(client, "A-1", "k").json["id"]

    assert within == first
    assert after != first
    assert sandbox.effects("A-1")["labels"] == 2


def test_f15_the_window_is_a_setting(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--profile", "quiet", "--key-ttl", "0.2") as sandbox:
        client = sandbox.client()
        first = book(client, "A-1", "k").json["id"]
        time.sleep(0.3)

        assert book(client, "A-1", "k").json["id"] != first


def test_effects_of_all_references_come_in_pages(sandbox: SandboxProcess, client: HttpClient) -> None:
    for number in range(5):
        book(client, f"A-{number}")
    act(client, authorized(client, "A-0"), "capture")

    first = sandbox.control("GET", "/sandbox/effects?limit=3")
    rest = sandbox.control("GET", f"/sandbox/effects?limit=3&after={first['next']}")

    assert [one["reference"] for one in (*first["data"], *rest["data"])] == [
        f"A-{number}" for number in range(5)
    ]
    assert (first["data"][0]["captures"], first["data"][0]["captured_minor"], rest["next"]) == (1, 500, None)


def test_reset_forgets_everything(sandbox: SandboxProcess, client: HttpClient) -> None:
    intent = authorized(client)
    sandbox.script("book", "A-1", "drop")
    sandbox.move_clock(99)

    sandbox.control("POST", "/sandbox/reset")

    health = sandbox.control("GET", "/sandbox/health")
    assert (health["status"], health["ahead_seconds"], health["profile"]) == ("ok", 0, "quiet")
    assert client.get(f"{INTENTS}/{intent}", operation="look").status == 404
    assert sandbox.effects("A-1")["holds"] == 0
    assert book(client, "A-1").status == 201
