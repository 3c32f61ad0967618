"""Reading what came: once per fact, in any order, by any number of readers; what waits does not wait for ever."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from prometheus_client import REGISTRY

from sagas import bell, operate
from sagas.clock import database_now, travel
from sagas.contract import OperatorActed
from sagas.inbox import store, work
from sagas.inbox.reader import Applied, Fate, Ignored, Incoming, Later, Question, Unmatched
from sagas.inbox.receive import receive
from sagas.inbox.rows import IncomingWebhook
from sagas.inbox.sources import find_source
from sagas.keeping.inbox import inbox, inbox_retention
from sagas.log import read as read_stream
from sagas.sql import execute
from sagas.verdicts import Refused
from tests.sagas.inbox.conftest import NAME, TASK, ToyReader, body, signed


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No message leaves; what would have been rung is kept."""
    bells: list[str] = []

    def ring(*names: str) -> bool:
        bells.extend(names)
        return True

    monkeypatch.setattr(bell, "ring", ring)
    return bells


def came(*events: str, says: str = "", about: str = "obj_1") -> None:
    """These messages were taken in. Each says what its id says, unless told."""
    source = find_source(NAME)
    assert source is not None
    for event in events:
        text = body(event, says=says or event, about=about)
        receive(source, text, {"X-Toy-Signature": signed(text)}, now=datetime.now().astimezone())


def states() -> dict[str, str]:
    return {w.event_id: f"{w.state}: {w.code}" for w in IncomingWebhook.objects.all()}


def test_a_message_that_needs_nothing_is_settled_at_the_first_look(toys_inbox: ToyReader) -> None:
    toys_inbox.fates["obj_1"] = [Ignored("known")]
    came("evt_1")

    work.read(TASK)

    row = IncomingWebhook.objects.get()
    assert (row.state, row.code, row.wake_at) == ("ignored", "known", None)
    assert row.settled_at is not None
    assert toys_inbox.asked == []


def test_messages_with_one_question_share_one_call_and_one_commit(toys_inbox: ToyReader) -> None:
    toys_inbox.fates["obj_1"] = [Question("obj_1")]
    toys_inbox.says["obj_1"] = Applied("moved")
    came("evt_1", "evt_2", "evt_3")

    work.read(TASK)

    assert toys_inbox.asked == toys_inbox.applied == ["obj_1"]
    assert states() == dict.fromkeys(("evt_1", "evt_2", "evt_3"), "applied: moved")


def test_f17_the_same_fact_under_two_ids_is_read_once(toys_inbox: ToyReader) -> None:
    toys_inbox.fates["obj_1"] = [Applied("moved")]
    came("evt_1", "evt_2", says="paid")
    came("evt_3", says="paid", about="obj_2")
    work.read(TASK)
    came("evt_4", says="paid")

    work.read(TASK)

    assert states() == {
        "evt_1": "applied: moved", "evt_2": "ignored: duplicate",
        "evt_3": "ignored: known", "evt_4": "ignored: duplicate",
    }  # fmt: skip
    assert sorted(toys_inbox.looked) == ["evt_1", "evt_3"]


def test_the_provider_is_asked_outside_any_transaction(
    toys_inbox: ToyReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys_inbox.fates["obj_1"] = [Question("obj_1")]
    toys_inbox.says["obj_1"] = Applied("moved")
    open_blocks: list[bool] = []
    asking = work.side_by_side

    def noting(ask: Any, questions: Any) -> Any:
        open_blocks.append(connection.in_atomic_block)
        return asking(ask, questions)

    monkeypatch.setattr(work, "side_by_side", noting)
    came("evt_1")

    work.read(TASK)

    assert open_blocks == [False]


def test_f18_a_message_without_its_object_waits_in_growing_steps_then_expires(
    toys_inbox: ToyReader,
) -> None:
    toys_inbox.fates["obj_1"] = [Unmatched("nobody")]
    came("evt_1")
    expired = REGISTRY.get_sample_value(
        "waybill_webhooks_received_total", {"source": NAME, "outcome": "expired"}
    )

    looks, ahead = 0, 0.0
    while work.read(TASK) and (row := IncomingWebhook.objects.get()).wake_at is not None:
        looks += 1
        wait = (row.wake_at - database_now()).total_seconds()
        assert wait <= store.wait_after(looks).total_seconds()
        ahead += wait + 1
        travel(ahead)

    waits = [store.wait_after(n).total_seconds() for n in range(1, 20)]
    assert (waits[:5], max(waits)) == ([1, 2, 4, 8, 16], 3600)
    assert looks > 70
    assert states() == {"evt_1": "expired: nobody"}
    assert timedelta(days=2, hours=23) < timedelta(seconds=ahead) < timedelta(days=3, hours=2)
    assert (
        REGISTRY.get_sample_value("waybill_webhooks_received_total", {"source": NAME, "outcome": "expired"})
        == (expired or 0) + 1
    )


def test_f18_as_soon_as_its_object_exists_it_is_read(toys_inbox: ToyReader, quiet: list[str]) -> None:
    toys_inbox.fates["obj_1"] = [Unmatched("nobody"), Applied("moved")]
    came("evt_1")
    came("evt_2", about="obj_2")
    work.read(TASK)
    quiet.clear()

    with transaction.atomic():
        work.wake_unmatched(["obj_1", "obj_9"], now=database_now())
        early = list(quiet)
    work.read(TASK)

    assert (early, quiet) == ([], [TASK])
    assert states()["evt_1"] == "applied: moved"


def test_whoever_could_not_be_asked_is_asked_later(toys_inbox: ToyReader) -> None:
    toys_inbox.fates["obj_1"] = [Question("obj_1")]
    toys_inbox.says["obj_1"] = Later("toy.down")
    came("evt_1")
    work.read(TASK)
    between = states()
    toys_inbox.says["obj_1"] = Applied("moved")
    travel(2)

    work.read(TASK)

    assert between == {"evt_1": "matched: toy.down"}
    assert states() == {"evt_1": "applied: moved"}


def test_two_readers_never_read_the_same_message_at_once(toys_inbox: ToyReader) -> None:
    came(*(f"evt_{n}" for n in range(300)))
    begin = threading.Barrier(3)

    def read() -> None:
        begin.wait()
        try:
            work.read(TASK)
        finally:
            connection.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert sorted(toys_inbox.looked) == sorted(f"evt_{n}" for n in range(300))
    assert IncomingWebhook.objects.filter(state="ignored").count() == 300


def test_f59_a_reader_that_wakes_up_late_settles_nothing(toys_inbox: ToyReader) -> None:
    toys_inbox.fates["obj_1"] = [Unmatched("nobody")]
    came("evt_1")
    now, [slow] = store.claim([NAME], limit=10)
    assert now is not None
    travel(61)
    work.read(TASK)

    ours = store.settle([(slow, Applied("late"))], now=database_now())

    assert ours == []
    assert states() == {"evt_1": "unmatched: nobody"}


def test_f57_what_a_dead_reader_had_taken_comes_back(toys_inbox: ToyReader) -> None:
    came("evt_1")
    store.claim([NAME], limit=10)
    before = work.read(TASK)
    travel(61)

    after = work.read(TASK)

    assert (before, after) == (0, 1)
    assert states() == {"evt_1": "ignored: known"}


def test_f64_one_message_that_breaks_its_reader_does_not_hold_up_the_others(toys_inbox: ToyReader) -> None:
    toys_inbox.fates["obj_7"] = [RuntimeError("poison")]
    came("evt_1", "evt_2", "evt_3")
    came("evt_7", about="obj_7")
    came("evt_8")

    work.read(TASK)

    assert states() == {
        **dict.fromkeys(("evt_1", "evt_2", "evt_3", "evt_8"), "ignored: known"), "evt_7": "matched: bug",
    }  # fmt: skip


def test_an_effect_and_the_end_of_its_message_are_one_commit(
    toys_inbox: ToyReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys_inbox.fates["obj_1"] = [Question("obj_1")]

    def apply(answers: Sequence[tuple[Question, object]], *, now: datetime) -> list[Fate]:
        execute("UPDATE sagas_era SET reason = 'applied'")
        return [Applied("moved") for _ in answers]

    honest = store.settle

    def dies_when_applied(
        fates: Sequence[tuple[Incoming, Fate]], *, now: datetime
    ) -> list[tuple[Incoming, str]]:
        if any(isinstance(fate, Applied) for _, fate in fates):
            raise RuntimeError("the commit failed")
        return honest(fates, now=now)

    monkeypatch.setattr(toys_inbox, "apply", apply)
    monkeypatch.setattr(store, "settle", dies_when_applied)
    came("evt_1")

    work.read(TASK)

    assert states() == {"evt_1": "matched: bug"}
    assert not IncomingWebhook.objects.filter(state="applied").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sagas_era WHERE reason = 'applied'")
        assert cursor.fetchone() == (0,)


def test_f61_messages_whose_bell_was_lost_are_found_and_read(toys_inbox: ToyReader, quiet: list[str]) -> None:
    came("evt_1")
    quiet.clear()
    fresh = inbox(now=database_now())
    told = list(quiet)
    travel(11)

    overdue = inbox(now=database_now())

    assert (fresh, told, overdue) == (0, [TASK], 1)
    assert states() == {"evt_1": "ignored: known"}


def test_f81_a_body_is_emptied_after_three_days_and_the_row_goes_after_ninety(toys_inbox: ToyReader) -> None:
    came("evt_1")
    toys_inbox.fates["obj_2"] = [Later("open")]
    work.read(TASK)
    came("evt_2", about="obj_2")
    now = database_now()

    inbox_retention(now=now + timedelta(days=2, hours=23))
    kept = bytes(IncomingWebhook.objects.get(event_id="evt_1").body)
    inbox_retention(now=now + timedelta(days=3, hours=1))
    emptied = IncomingWebhook.objects.get(event_id="evt_1")
    inbox_retention(now=now + timedelta(days=91))

    assert kept == body("evt_1", says="evt_1")
    assert (bytes(emptied.body), emptied.headers) == (b"", {})
    assert states() == {"evt_2": "received: "}  # what is open is kept whole, whatever its age


def test_a_person_has_a_message_read_again_with_a_reason(toys_inbox: ToyReader, quiet: list[str]) -> None:
    toys_inbox.fates["obj_1"] = [Ignored("known"), Applied("moved")]
    came("evt_1")
    work.read(TASK)
    ids = list(IncomingWebhook.objects.values_list("pk", flat=True))
    quiet.clear()

    count = operate.read_again(ids, actor="olga", reason="the rule is mended", now=database_now())
    work.read(TASK)

    acted = read_stream(operate.PLATFORM)[-1]
    assert (count, quiet) == (1, [TASK])
    assert states() == {"evt_1": "applied: moved"}
    assert isinstance(acted.event, OperatorActed)
    assert (acted.event.act, acted.metadata["actor"], acted.metadata["reason"]) == (
        "read_again", "olga", "the rule is mended",
    )  # fmt: skip
    with pytest.raises(Refused):
        operate.read_again(ids, actor="olga", reason=" ", now=database_now())


def test_a_message_without_its_body_cannot_be_read_again(toys_inbox: ToyReader) -> None:
    came("evt_1")
    work.read(TASK)
    inbox_retention(now=database_now() + timedelta(days=4))
    ids = list(IncomingWebhook.objects.values_list("pk", flat=True))

    assert operate.read_again(ids, actor="olga", reason="to be sure", now=database_now()) == 0
    assert states() == {"evt_1": "ignored: known"}
