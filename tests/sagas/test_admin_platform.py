"""The platform in the admin: what is paused for everybody, the readers of the log, parked events, one stream."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from sagas import log, operate
from sagas.bus import subscription, unsubscribe
from sagas.clock import database_now
from sagas.contract import OperatorActed
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Append, Recorded
from sagas.models import Checkpoint, ParkedEvent, Pause
from sagas.rebuild.rows import ProjectionBuild
from tests.sagas import people, toys
from tests.sagas.toys import Script

LIST = "/admin/sagas/saga/"
PARKED = "/admin/sagas/parkedevent/"


@pytest.fixture
def client(toy: Script) -> Client:
    return people.operator()


def text(response: Any) -> str:
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


def test_a_step_is_paused_and_resumed_for_everybody_with_a_reason(client: Client, toy: Script) -> None:
    pause = reverse("admin:sagas_pause", args=["pause", "step", "sagas.hold_money"])
    client.post(pause, {"reason": "rehearsal"})
    toys.start()
    toys.settle(rounds=3)
    page, row = text(client.get(reverse("admin:sagas_pauses"))), text(client.get(LIST))
    stood = list(toys.told())

    client.post(reverse("admin:sagas_pause", args=["resume", "step", "sagas.hold_money"]), {"reason": "over"})
    toys.settle()

    assert stood == ["open_case", "hold_money: due"]
    assert re.search(r"by olga, (just now|\d+ (s|ms) ago) : rehearsal", page)
    assert "hold money: step paused by olga, rehearsal" in row
    assert toys.saga().state == "completed"


def test_a_provider_is_paused_for_everybody(client: Client, toy: Script) -> None:
    client.post(reverse("admin:sagas_pause", args=["pause", "provider", "bank"]), {"reason": "maintenance"})
    toys.start()
    toys.settle(rounds=3)

    assert toys.told() == ["open_case", "hold_money: due"]
    assert "hold money: provider paused by olga, maintenance" in text(client.get(LIST))


def test_what_nobody_knows_is_not_paused(client: Client) -> None:
    answer = client.post(
        reverse("admin:sagas_pause", args=["pause", "step", "sagas.nonsense"]), {"reason": "x"}
    )

    assert answer.status_code == 302
    assert Pause.objects.count() == 0


def test_a_stream_shows_its_events_whole(client: Client, toy: Script) -> None:
    saga_id: UUID = toys.start()
    operate.pause([saga_id], actor="olga", reason="to look", now=database_now())
    toys.settle()

    page = text(client.get(reverse("admin:sagas_stream", args=[saga_id])))

    assert "sagas.OperatorActed" in page
    assert "to look" in page


# --- readers and what they could not digest -------------------------------------------------------------


SICK: set[str] = set()
GOT: list[str] = []


@pytest.fixture
def reader(toy: Script, request: pytest.FixtureRequest) -> Iterator[str]:
    """A reader of acts that cannot digest what is in SICK."""
    SICK.clear()
    SICK.add("bad")
    GOT.clear()

    @subscription("sagas.toy_reader", of=(OperatorActed,), kind=request.param)
    def take(*, events: Sequence[Recorded], now: datetime) -> None:
        targets = [e.event.target for e in events]  # type: ignore[attr-defined]
        if SICK.intersection(targets):
            raise KeyError("bad")
        GOT.extend(targets)

    yield "sagas.toy_reader"
    unsubscribe("sagas.toy_reader")


def publish(*targets: str) -> None:
    now, stream = database_now(), uuid7()
    events = [OperatorActed(saga_id=None, act="x", target=target) for target in targets]
    log.publish([Append(stream, at, event) for at, event in enumerate(events, 1)], now=now)
    deliver("sagas.toy_reader", now=database_now)


@pytest.mark.parametrize("reader", ["projection"], indirect=True)
def test_a_stopped_projection_is_shown_and_passes_over_the_event_with_a_reason(
    client: Client, reader: str
) -> None:
    publish("bad", "later")
    before = text(client.get(reverse("admin:sagas_readers")))

    answer = client.post(
        reverse("admin:sagas_restart_reader", args=[reader, "skip"]), {"reason": "a test order"}, follow=True
    )
    deliver(reader, now=database_now)

    assert re.search(
        r"sagas.toy_reader projection stopped KeyError: 'bad' Try this event again Pass over this event 2 ",
        before,
    )
    assert [str(m) for m in answer.context["messages"]] == ["Pass over: toy reader. Done."]
    assert Checkpoint.objects.get(subscription=reader).state == "running"
    assert GOT[0] == "later"
    after = text(client.get(reverse("admin:sagas_readers")))
    assert re.search(r"sagas.toy_reader \S+ v1 olga a test order KeyError: 'bad' ", after)


@pytest.mark.parametrize("reader", ["projection"], indirect=True)
def test_a_stopped_projection_tries_its_event_again(client: Client, reader: str) -> None:
    publish("bad", "later")
    SICK.clear()

    answer = client.post(
        reverse("admin:sagas_restart_reader", args=[reader, "retry"]), {"reason": "it is mended"}, follow=True
    )
    deliver(reader, now=database_now)

    assert [str(m) for m in answer.context["messages"]] == ["Try again: toy reader. Done."]
    assert GOT[:2] == ["bad", "later"]


def test_builds_of_projections_are_shown_with_what_stopped_them(client: Client) -> None:
    now = database_now()
    ProjectionBuild.objects.create(
        name="sagas.view",
        slot=2,
        events=1234,
        state="stopped",
        error="KeyError: 'x'",
        started_at=now,
        moved_at=now,
    )

    page = text(client.get(reverse("admin:sagas_readers")))
    staff = text(client.get("/staff/"))

    assert re.search(r"sagas.view 2 stopped KeyError: 'x' 1,234 0 ", page)
    assert "sagas.view is being rebuilt: 1,234 events are in. KeyError: 'x'" in staff


@pytest.mark.parametrize("reader", ["projection"], indirect=True)
def test_a_running_projection_cannot_be_made_to_pass_over_anything(client: Client, reader: str) -> None:
    publish("good")

    answer = client.post(reverse("admin:sagas_restart_reader", args=[reader, "skip"]), {"reason": "for fun"})

    assert answer.status_code == 302
    assert log.read(operate.PLATFORM) == []


@pytest.mark.parametrize("reader", ["reaction"], indirect=True)
def test_parked_events_are_delivered_again_with_a_reason(client: Client, reader: str) -> None:
    publish("bad", "later")
    page = text(client.get(PARKED))
    ids = list(ParkedEvent.objects.values_list("pk", flat=True))
    SICK.clear()

    asked = client.post(PARKED, {"action": "redeliver", "_selected_action": ids, "index": "0"})
    nothing = client.post(
        reverse("admin:sagas_settle_parked", args=["redeliver"]), {"event": ids, "reason": " "}
    )
    waiting = ParkedEvent.objects.filter(settled_at=None).count()
    done = client.post(
        reverse("admin:sagas_settle_parked", args=["redeliver"]),
        {"event": ids, "reason": "mended"},
        follow=True,
    )

    assert "KeyError: 'bad'" in page
    assert "waits behind an earlier one" in page
    assert "Deliver again 2 events?" in text(asked)
    assert (nothing.status_code, waiting) == (200, 2)
    assert [str(m) for m in done.context["messages"]] == ["Deliver again: 2 events."]
    assert GOT == ["bad", "later"]
    assert text(client.get(PARKED)).count("sagas.toy_reader version") == 0


@pytest.mark.parametrize("reader", ["reaction"], indirect=True)
def test_a_delivery_that_fails_again_is_told_and_changes_nothing(client: Client, reader: str) -> None:
    publish("bad")
    ids = list(ParkedEvent.objects.values_list("pk", flat=True))

    answer = client.post(
        reverse("admin:sagas_settle_parked", args=["redeliver"]), {"event": ids, "reason": "perhaps now"}
    )

    assert "It failed again, and nothing has changed: KeyError: 'bad'" in text(answer)
    assert ParkedEvent.objects.filter(settled_at=None).count() == 1


@pytest.mark.parametrize("reader", ["reaction"], indirect=True)
def test_who_may_only_look_settles_nothing(client: Client, reader: str) -> None:
    publish("bad")
    onlooker = people.onlooker()
    ids = list(ParkedEvent.objects.values_list("pk", flat=True))
    addresses = [
        (reverse("admin:sagas_settle_parked", args=["drop"]), {"event": ids, "reason": "x"}),
        (reverse("admin:sagas_pause", args=["pause", "provider", "bank"]), {"reason": "x"}),
        (reverse("admin:sagas_restart_reader", args=[reader, "skip"]), {"reason": "x"}),
    ]

    answers = [onlooker.post(address, sent).status_code for address, sent in addresses]
    looks = [onlooker.get(reverse(f"admin:sagas_{name}")).status_code for name in ("pauses", "readers")]

    assert answers == [403, 403, 403]
    assert looks == [200, 200]
    assert ParkedEvent.objects.filter(settled_at=None).count() == 1
    assert Pause.objects.count() == 0
