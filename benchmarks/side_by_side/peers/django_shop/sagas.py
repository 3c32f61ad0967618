"""The textbook saga: a row for the saga, a row for each step, a task per step that sends the next after its commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from celery import shared_task
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.side_by_side import single
from benchmarks.side_by_side.peers.django_shop.models import Saga, Step
from benchmarks.side_by_side.peers.intake import place_batch
from benchmarks.side_by_side.workload import Wanted


def place_one(order: Wanted) -> None:
    """Write the order, its saga and its steps in one transaction; the first task is sent after it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            single.place(cast("single.Cursor", cursor), order)
        saga = Saga.objects.create(order_id=order.id)
        Step.objects.bulk_create(_steps(saga))
        take_step.delay_on_commit(saga.pk, 0)


def place_many(orders: Sequence[Wanted]) -> None:
    """The same for many orders in one transaction."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            place_batch(cast("single.Cursor", cursor), orders)
        sagas = Saga.objects.bulk_create([Saga(order_id=order.id) for order in orders])
        Step.objects.bulk_create([step for saga in sagas for step in _steps(saga)])
        for saga in sagas:
            take_step.delay_on_commit(saga.pk, 0)


def _steps(saga: Saga) -> list[Step]:
    return [Step(saga=saga, position=n, name=act.__name__) for n, (act, _) in enumerate(single.STEPS)]


@shared_task
def take_step(saga_id: int, position: int) -> None:
    """Do one step and send what comes next. Safe to repeat: a step that is no longer pending is left alone."""
    with transaction.atomic():
        saga, step = _locked(saga_id, position)
        if step.state != Step.State.PENDING:
            return
        try:
            _act(single.STEPS[position][0], saga)
        except single.OrderRefused:
            _turn_back(saga, step)
        else:
            _go_on(saga, step)


@shared_task
def undo_step(saga_id: int, position: int) -> None:
    """Give one step back and send the one before it. Safe to repeat."""
    with transaction.atomic():
        saga, step = _locked(saga_id, position)
        if step.state != Step.State.DONE:
            return
        _act(single.STEPS[position][1], saga)
        _move(step, Step.State.UNDONE)
        if position:
            undo_step.delay_on_commit(saga_id, position - 1)
        else:
            _end(saga, Saga.State.COMPENSATED)


def _locked(saga_id: int, position: int) -> tuple[Saga, Step]:
    """The saga, locked until the commit, and one step of it."""
    saga = Saga.objects.select_for_update().get(pk=saga_id)
    return saga, Step.objects.get(saga=saga, position=position)


def _act(act: Any, saga: Saga) -> None:
    with connection.cursor() as cursor:
        act(cursor, str(saga.order_id))


def _go_on(saga: Saga, step: Step) -> None:
    _move(step, Step.State.DONE)
    if step.position + 1 < len(single.STEPS):
        take_step.delay_on_commit(saga.pk, step.position + 1)
    else:
        _end(saga, Saga.State.COMPLETED)


def _turn_back(saga: Saga, step: Step) -> None:
    _move(step, Step.State.REFUSED)
    saga.state = Saga.State.COMPENSATING
    saga.save(update_fields=["state"])
    undo_step.delay_on_commit(saga.pk, step.position - 1)


def _move(step: Step, state: Step.State) -> None:
    step.state = state
    step.save(update_fields=["state", "changed_at"])


def _end(saga: Saga, state: Saga.State) -> None:
    saga.state, saga.ended_at = state, timezone.now()
    saga.save(update_fields=["state", "ended_at"])
