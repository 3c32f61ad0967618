"""Toy steps whose answers a test scripts: a small business of four steps, local and external."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sagas.clock import database_now, travel
from sagas.definition import SagaDefinition, compensatable, parallel, pivot, retriable
from sagas.engine import StartSaga, start_sagas
from sagas.engine.work import work
from sagas.ids import uuid7
from sagas.keeping.sweep import due_steps
from sagas.models import Saga
from sagas.queries import story
from sagas.retry import RetryPolicy
from sagas.sql import rows
from sagas.steps import (
    Ask,
    Continue,
    ExternalStep,
    StepCall,
    compensation,
    external_compensation,
    external_step,
    local_step,
)
from sagas.tasks import take_up_intents
from sagas.verdicts import Answer, Done

QUICK = RetryPolicy(attempts=4, base=10.0, cap=10.0)
EVERYTHING = frozenset({"sagas"})

Reply = Callable[[StepCall], Answer | Continue]


@dataclass
class Script:
    """What toy steps answer, and what they were asked."""

    replies: dict[str, list[Any]] = field(default_factory=dict)
    always: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    batches: list[tuple[str, int]] = field(default_factory=list)

    def clear(self) -> None:
        for part in (self.replies, self.always, self.asked, self.batches):
            part.clear()

    def answer(self, what: str, call: StepCall) -> Any:
        """The scripted answer for `what`: a queued one, else the standing one, else Done."""
        self.asked.append((what, call.reference))
        queued = self.replies.get(f"{what}@{call.reference}") or self.replies.get(what)
        reply = queued.pop(0) if queued else self.always.get(what, Done())
        reply = reply(call) if callable(reply) else reply
        if isinstance(reply, Exception) and not hasattr(reply, "word"):
            raise reply
        return reply


script = Script()


def _local(name: str) -> Callable[[Sequence[StepCall]], list[Answer]]:
    def handler(calls: Sequence[StepCall]) -> list[Answer]:
        script.batches.append((name, len(calls)))
        return [script.answer(name, call) for call in calls]

    return handler


class _Toy(ExternalStep):
    name = ""

    def begin(self, calls: Sequence[StepCall]) -> list[Ask | Answer]:
        script.batches.append((self.name, len(calls)))
        return [Ask(call) for call in calls]

    def ask(self, ask: Ask) -> Answer | Continue:
        return script.answer(self.name, ask.call)

    def settle(self, ask: Ask) -> Answer | Continue:
        return script.answer(f"{self.name}?", ask.call)

    def record(self, answers: Sequence[tuple[StepCall, Answer | Continue]]) -> list[Answer | Continue]:
        for call, _ in answers:
            if call.late:
                script.asked.append((f"{self.name} late", call.reference))
        return [outcome for _, outcome in answers]


def _toy(step: str) -> type[_Toy]:
    return type("Toy", (_Toy,), {"name": step})


local_step("sagas.open_case", undo="sagas.close_case", retry=QUICK)(_local("open_case"))
compensation("sagas.close_case", retry=QUICK)(_local("close_case"))
external_step("sagas.hold_money", provider="bank", undo="sagas.free_money", gives=("hold_id",), retry=QUICK)(
    _toy("hold_money")
)
external_compensation("sagas.free_money", provider="bank", retry=QUICK)(_toy("free_money"))
local_step("sagas.keep_goods", undo="sagas.return_goods", needs=("hold_id",), retry=QUICK)(
    _local("keep_goods")
)
compensation("sagas.return_goods", retry=QUICK)(_local("return_goods"))
external_step("sagas.take_money", provider="bank", retry=QUICK)(_toy("take_money"))
local_step("sagas.tell_shop", retry=QUICK)(_local("tell_shop"))

late_cancels: list[str] = []
parked: list[str] = []

TOY = SagaDefinition(
    "sagas.toy",
    version=1,
    steps=[
        compensatable("sagas.open_case"),
        compensatable("sagas.hold_money"),
        compensatable("sagas.keep_goods"),
        pivot("sagas.take_money"),
        retriable("sagas.tell_shop"),
    ],
    deadline=timedelta(hours=1),
    late_cancel=lambda notes, _now: late_cancels.extend(n.reference for n in notes),
    attention=lambda notes, _now: parked.extend(n.reference for n in notes),
)

PAIR = SagaDefinition(
    "sagas.pair",
    version=1,
    steps=[
        compensatable("sagas.open_case"),
        parallel(compensatable("sagas.hold_money"), compensatable("sagas.keep_goods")),
        retriable("sagas.tell_shop"),
    ],
    context=("hold_id",),
)

SHOP = uuid7()


def start(reference: str = "A-1", definition: str = "sagas.toy", **more: Any) -> UUID:
    """Start one toy saga."""
    return start_many([reference], definition, **more)[0]


def start_many(references: Sequence[str], definition: str = "sagas.toy", **more: Any) -> list[UUID]:
    context = {"hold_id": "x"} if definition == "sagas.pair" else {}
    starts = [
        StartSaga(
            definition=definition,
            reference=r,
            shop_id=SHOP,
            subject_id=uuid7(),
            context=context,
            label=r,
            **more,
        )
        for r in references
    ]
    return start_sagas(starts, now=database_now())


def run(name: str) -> int:
    """Work at one step and go on from there, as a worker that listens to every queue."""
    return work(f"sagas.{name}", queues=EVERYTHING, seconds=10)


#: How far a settling test travels ahead for retries; beyond it somebody must come.
HORIZON = timedelta(minutes=4)

NEXT_WAKE = """
SELECT min(t.wake_at) - waybill_now() FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id
 WHERE t.finished_at IS NULL AND s.hold <> 'parked'
"""


def settle(rounds: int = 600) -> None:
    """Run everything due until nothing is, travelling ahead to retries: what workers and the sweep do together."""
    for _ in range(rounds):
        take_up_intents()
        due = due_steps()
        for name, _ in due:
            work(name, queues=EVERYTHING, seconds=10)
        if not due and not _travel_to_next():
            return


def _travel_to_next() -> bool:
    wait = rows(NEXT_WAKE)[0][0]
    if wait is None or wait > HORIZON:
        return False
    offset = rows("SELECT coalesce(nullif(current_setting('waybill.offset', true), ''), '0 s')::interval")[0][
        0
    ]
    travel((offset + wait).total_seconds() + 0.001)
    return True


def saga(reference: str = "A-1") -> Saga:
    return Saga.objects.get(reference=reference, shop_id=SHOP)


def told(reference: str = "A-1") -> list[str]:
    """The saga's story in short words."""
    return story(saga(reference).pk)
