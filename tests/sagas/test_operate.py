"""What a person may do: each act needs an actor and a reason, leaves an event, and has its effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from sagas import log, operate
from sagas.bus import subscription, unsubscribe
from sagas.clock import database_now
from sagas.contract import OperatorActed
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Append, Recorded
from sagas.models import Checkpoint, Intent, ParkedEvent, Pause, Saga
from sagas.verdicts import Refused, Unavailable, Waiting
from tests.sagas import toys
from tests.sagas.toys import Script

WHO: dict[str, Any] = {"actor": "olga", "reason": "the bank is back"}


def parked(toy: Script, at: str = "hold_money") -> UUID:
    toy.always[at] = Unavailable("busy")
    id_ = toys.start()
    toys.settle()
    toy.always.clear()
    assert toys.saga().hold == "parked"
    return id_


def acts_on(stream: UUID) -> list[tuple[str, str, str, Any]]:
    """Every act in a stream: what, by whom, why, and what became of it."""
    found = [e for e in log.read(stream) if isinstance(e.event, OperatorActed)]
    return [
        (e.event.act, e.metadata["actor"], e.metadata["reason"], e.event.payload.get("answer"))  # type: ignore[attr-defined]
        for e in found
    ]


def every_act() -> list[Callable[..., object]]:
    """All commands, ready to be called with actor, reason and now."""
    ids = [uuid7()]
    return [
        lambda **who: operate.retry_now(ids, **who),
        lambda **who: operate.resume(ids, **who),
        lambda **who: operate.turn_back(ids, **who),
        lambda **who: operate.pause(ids, **who),
        lambda **who: operate.skip_step(ids[0], "sagas.hold_money", {}, **who),
        lambda **who: operate.resolve(ids, as_state="completed", **who),
        lambda **who: operate.pause_for_all("step", "sagas.hold_money", **who),
        lambda **who: operate.resume_for_all("step", "sagas.hold_money", **who),
        lambda **who: operate.skip_event("sagas.toy_reader", **who),
        lambda **who: operate.settle_parked([1], how="drop", **who),
    ]


@pytest.mark.parametrize("number", range(len(every_act())))
@pytest.mark.parametrize("who", [{"actor": "", "reason": "x"}, {"actor": "olga", "reason": " \n"}])
def test_no_act_without_an_actor_and_a_reason(toy: Script, number: int, who: dict[str, str]) -> None:
    with pytest.raises(operate.ReasonMissing):
        every_act()[number](**who, now=database_now())

    assert Intent.objects.count() == Pause.objects.count() == 0
    assert log.read(operate.PLATFORM) == []


def test_retry_now_tries_what_is_due_with_fresh_tries(toy: Script) -> None:
    id_ = parked(toy)

    operate.retry_now([id_], **WHO, now=database_now())
    toys.settle()

    assert toys.saga().state == "completed"
    assert acts_on(id_) == [("retry", "olga", "the bank is back", "retried")]


def test_retry_does_not_lift_a_pause(toy: Script) -> None:
    id_ = toys.start()
    operate.pause([id_], actor="pia", reason="to look", now=database_now())
    toys.settle()

    operate.retry_now([id_], **WHO, now=database_now())
    toys.settle()

    assert (toys.saga().state, toys.saga().hold) == ("pending", "paused")
    assert acts_on(id_)[1] == ("retry", "olga", "the bank is back", "paused")


def test_pause_holds_a_saga_until_it_is_resumed(toy: Script) -> None:
    id_ = toys.start()
    operate.pause([id_], actor="pia", reason="to look", now=database_now())
    toys.settle()
    held = toys.saga()

    operate.resume([id_], **WHO, now=database_now())
    toys.settle()

    assert (held.hold, held.hold_owner, held.hold_reason) == ("paused", "pia", "to look")
    assert toys.saga().state == "completed"
    assert [act[3] for act in acts_on(id_)] == ["paused", "resumed"]


def test_turn_back_gives_everything_back_newest_first(toy: Script) -> None:
    id_ = parked(toy, at="keep_goods")

    operate.turn_back([id_], **WHO, now=database_now())
    toys.settle()

    assert (toys.saga().state, toys.saga().cause) == ("compensated", "intent")
    assert [what for what, _ in toy.asked][-3:] == ["return_goods", "free_money", "close_case"]
    assert acts_on(id_) == [("turn_back", "olga", "the bank is back", "turned_back")]


def test_behind_the_pivot_turning_back_is_refused_and_said_so(toy: Script) -> None:
    id_ = parked(toy, at="tell_shop")

    operate.turn_back([id_], **WHO, now=database_now())
    toys.settle()

    assert toys.saga().state == "running"
    assert acts_on(id_) == [("turn_back", "olga", "the bank is back", "behind_the_pivot")]
    assert Intent.objects.get().state == "refused"


def test_skip_takes_the_stated_result_and_the_step_never_runs(toy: Script) -> None:
    id_ = parked(toy)
    asked = len([what for what, _ in toy.asked if what == "hold_money"])

    operate.skip_step(id_, "sagas.hold_money", {"hold_id": "by-phone"}, **WHO, now=database_now())
    toys.settle()

    assert toys.saga().state == "completed"
    assert toys.saga().context["hold_id"] == "by-phone"
    assert len([what for what, _ in toy.asked if what == "hold_money"]) == asked
    assert acts_on(id_) == [("skip", "olga", "the bank is back", "skipped")]


def test_a_step_that_is_not_open_cannot_be_skipped(toy: Script) -> None:
    id_ = parked(toy)

    operate.skip_step(id_, "sagas.tell_shop", {}, **WHO, now=database_now())
    toys.settle()

    assert acts_on(id_)[0][3] == "no_such_open_step"
    assert toys.saga().hold == "parked"


@pytest.mark.parametrize("as_state", ["completed", "compensated"])
def test_resolve_ends_what_stands_still_as_stated(toy: Script, as_state: str) -> None:
    id_ = parked(toy)

    operate.resolve([id_], as_state=as_state, **WHO, now=database_now())
    toys.settle()

    saga = toys.saga()
    assert (saga.state, saga.hold) == (as_state, "none")
    assert saga.finished_at is not None
    assert not saga.steps.filter(finished_at=None).exists()
    assert acts_on(id_) == [("resolve", "olga", "the bank is back", "resolved")]


def test_what_runs_cannot_be_resolved_by_hand(toy: Script) -> None:
    toy.always["keep_goods"] = Waiting("stock", database_now().replace(year=2100))
    id_ = toys.start()
    toys.settle()

    operate.resolve([id_], as_state="completed", **WHO, now=database_now())
    toys.settle()

    assert acts_on(id_)[0][3] == "not_held"
    assert toys.saga().state == "running"


def test_one_act_on_many_sagas_leaves_an_event_on_each(toy: Script) -> None:
    ids = toys.start_many(["A-1", "A-2", "A-3"])

    operate.pause(ids, **WHO, now=database_now())
    toys.settle()

    assert set(Saga.objects.values_list("hold", flat=True)) == {"paused"}
    assert [acts_on(id_) for id_ in ids] == [[("pause", "olga", "the bank is back", "paused")]] * 3


@pytest.mark.parametrize(("scope", "name"), [("step", "sagas.hold_money"), ("provider", "bank")])
def test_a_paused_step_or_provider_is_left_alone_without_burning_attempts(
    toy: Script, scope: str, name: str
) -> None:
    operate.pause_for_all(scope, name, actor="pia", reason="maintenance", now=database_now())
    operate.pause_for_all(scope, name, actor="pia", reason="again", now=database_now())
    toys.start()
    toys.settle(rounds=3)
    before = (
        [what for what, _ in toy.asked],
        toys.saga().hold,
        toys.saga().steps.get(name="sagas.hold_money"),
    )

    operate.resume_for_all(scope, name, **WHO, now=database_now())
    toys.settle()

    assert before[:2] == (["open_case"], "none")
    assert (before[2].attempt, before[2].tries) == (0, 0)
    assert toys.saga().state == "completed"
    assert Pause.objects.count() == 0
    assert [act[:3] for act in acts_on(operate.PLATFORM)] == [
        (f"pause_{scope}", "pia", "maintenance"),
        (f"pause_{scope}", "pia", "again"),
        (f"resume_{scope}", "olga", "the bank is back"),
    ]


@pytest.mark.parametrize(
    ("scope", "name"), [("step", "sagas.nonsense"), ("provider", ""), ("planet", "mars")]
)
def test_what_nobody_knows_cannot_be_paused(toy: Script, scope: str, name: str) -> None:
    with pytest.raises(operate.NoSuchStep):
        operate.pause_for_all(scope, name, **WHO, now=database_now())

    assert Pause.objects.count() == 0
    assert log.read(operate.PLATFORM) == []


def test_an_act_nobody_knows_is_refused(toy: Script) -> None:
    with pytest.raises(Refused) as refused:
        operate.act("explode", [toys.start()], **WHO, now=database_now())

    assert refused.value.code == "sagas.no_such_act"
    assert Intent.objects.count() == 0


# --- poison --------------------------------------------------------------------------------------------


@dataclass
class Reader:
    """A reader that cannot digest what is in `sick`."""

    sick: set[str]
    got: list[str]


@pytest.fixture
def reader(transactional_db: None, request: pytest.FixtureRequest) -> Iterator[Reader]:
    found = Reader({"bad"}, [])

    @subscription("sagas.toy_reader", of=(OperatorActed,), kind=request.param)
    def take(*, events: Sequence[Recorded], now: datetime) -> None:
        targets = [e.event.target for e in events]  # type: ignore[attr-defined]
        if found.sick.intersection(targets):
            raise KeyError("bad")
        found.got.extend(targets)

    yield found
    unsubscribe("sagas.toy_reader")


def publish(*targets: str) -> UUID:
    stream, now = uuid7(), database_now()
    events = [OperatorActed(saga_id=None, act="x", target=target) for target in targets]
    log.publish([Append(stream, at, event) for at, event in enumerate(events, 1)], now=now)
    deliver("sagas.toy_reader", now=database_now)
    return stream


@pytest.mark.parametrize("reader", ["reaction"], indirect=True)
def test_parked_events_are_delivered_again_in_order_once_the_cause_is_mended(reader: Reader) -> None:
    publish("good", "bad", "later")
    ids = list(ParkedEvent.objects.order_by("-id").values_list("pk", flat=True))
    reader.sick.clear()

    count = operate.settle_parked(ids, how="redeliver", **WHO, now=database_now())

    assert count == 2
    assert reader.got == ["good", "bad", "later"]
    assert set(ParkedEvent.objects.values_list("settled_by", "settled_how")) == {
        ("olga", "redeliver: the bank is back")
    }
    assert acts_on(operate.PLATFORM) == [("redeliver", "olga", "the bank is back", None)]


@pytest.mark.parametrize("reader", ["reaction"], indirect=True)
def test_a_redelivery_that_fails_again_changes_nothing(reader: Reader) -> None:
    publish("bad", "later")

    with pytest.raises(KeyError):
        operate.settle_parked(
            list(ParkedEvent.objects.values_list("pk", flat=True)), how="redeliver", **WHO, now=database_now()
        )

    assert reader.got == []
    assert ParkedEvent.objects.filter(settled_at=None).count() == 2
    assert acts_on(operate.PLATFORM) == []


@pytest.mark.parametrize("reader", ["reaction"], indirect=True)
def test_dropped_events_are_never_delivered(reader: Reader) -> None:
    publish("bad")
    reader.sick.clear()

    operate.settle_parked([ParkedEvent.objects.get().pk], how="drop", **WHO, now=database_now())
    deliver("sagas.toy_reader", now=database_now)

    assert "bad" not in reader.got
    assert acts_on(operate.PLATFORM) == [("drop", "olga", "the bank is back", None)]


@pytest.mark.parametrize("reader", ["projection"], indirect=True)
def test_a_stopped_projection_passes_over_one_event_when_told(reader: Reader) -> None:
    publish("bad", "later")
    stopped = Checkpoint.objects.get(subscription="sagas.toy_reader").state

    operate.skip_event("sagas.toy_reader", **WHO, now=database_now())
    deliver("sagas.toy_reader", now=database_now)

    assert stopped == "stopped"
    assert Checkpoint.objects.get(subscription="sagas.toy_reader").state == "running"
    assert reader.got[0] == "later"
    assert "bad" not in reader.got
    assert acts_on(operate.PLATFORM) == [("skip_event", "olga", "the bank is back", None)]


def test_parked_events_are_delivered_or_dropped_and_nothing_else(toy: Script) -> None:
    with pytest.raises(Refused, match="no_such_act"):
        operate.settle_parked([1], how="forget", actor="ann", reason="because", now=database_now())


def test_a_saga_is_resolved_as_something_it_can_be(toy: Script) -> None:
    saga = parked(toy)

    with pytest.raises(Refused, match="no_such_end"):
        operate.resolve([saga], as_state="fine", actor="ann", reason="settled", now=database_now())

    assert toys.saga().hold == "parked"
