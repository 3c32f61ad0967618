"""What a person has ended by hand lets go of what it held: the definition says by which of its local steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import sentry_sdk
import structlog
from django.db import transaction

from sagas import log
from sagas.definition import ByHand, plan
from sagas.engine.asked import Asked
from sagas.engine.batch import Claimed, call, led
from sagas.engine.rows import COMPLETED, DO, FINAL, UNDO, SagaRow, StepRow
from sagas.ids import operation_key, uuid7
from sagas.quoting import words_of
from sagas.steps import ByPerson, Step, get_step
from sagas.verdicts import Answer, Done

logger = structlog.get_logger(__name__)


class NotLetGo(Exception):
    """A step that was to let go did not answer that it is done. Nothing of it is kept."""


def let_go(acts: Iterable[tuple[Asked, SagaRow]], *, now: datetime) -> None:
    """Run what lets go after these acts of people, in the transaction that holds their sagas. Safe to repeat.

    One that cannot (a bug, or somebody else holds the object) changes nothing and keeps nobody from ending the saga: it
    is reported, and is tried again when the saga is resolved once more.
    """
    for asked, saga in acts:
        names = _names(asked, saga)
        try:
            with transaction.atomic(), log.about(led=led([saga])):
                _run(names, saga, asked, now)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; the person's word stands
            sentry_sdk.capture_exception(error)
            logger.warning("saga_not_let_go", saga_id=str(saga.id), steps=names, error=words_of(error))


def _names(asked: Asked, saga: SagaRow) -> tuple[str, ...]:
    found = plan(saga.definition, saga.version)
    by_hand = found.definition.by_hand if found else ByHand()
    if asked.kind == "resolve" and saga.state in FINAL:
        return by_hand.completed if saga.state == COMPLETED else by_hand.compensated
    if asked.kind == "skip":  # it lets go where it stood, whatever comes after it
        return tuple(n for n in by_hand.completed + by_hand.compensated if n == asked.payload.get("step"))
    return ()


def _run(names: Iterable[str], saga: SagaRow, asked: Asked, now: datetime) -> None:
    """One after the other; each is given what the one before gave."""
    for name in names:
        step = get_step(name)
        answer = _answer(step, saga, asked, now)
        if not isinstance(answer, Done):
            raise NotLetGo(f"{name}: {answer!r}")
        saga = replace(saga, context={**saga.context, **answer.result})


def _answer(step: Step, saga: SagaRow, asked: Asked, now: datetime) -> Answer:
    if step.local is None:
        raise TypeError(f"{step.name} is not a local step.")
    subject = log.first_data([saga.subject_id])[saga.subject_id] if step.subject else None
    key = operation_key(saga.shop_id, saga.reference, step.name)
    row = StepRow(uuid7(), saga.id, 0, UNDO if step.is_undo else DO, step.name, key)
    asks = call(step, Claimed(row, saga), now=now, subject=subject)
    told = replace(asks, input={**asks.input, **saga.context}, by_hand=ByPerson(asked.actor, asked.reason))
    (answer,) = step.local([told])
    return answer
