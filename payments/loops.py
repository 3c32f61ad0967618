"""Loops of payments in the `keep` process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from payments import gateways, queries
from payments.commands import asking, expiring, watching
from payments.commands.watching import Watched
from payments.gateways.base import Page
from payments.reconciliation.nightly import read_time, some_pages
from payments.tasks import PAYMENT_STEPS, REFUND_STEPS, apply_answers, ask_about, question_about, was_not_told
from sagas.circuits import ask_through, room_for
from sagas.engine.wake import at_work
from sagas.inbox.reader import Question
from sagas.inbox.work import side_by_side
from sagas.loops import keeper, one_of_many

LOOK_THROUGH, ASK = 5_000, 50
#: So many of the gateway's disputes are looked through, the newest.
NEWEST = 100
#: Not sooner is the provider asked again about what it could not tell of.
SOON = timedelta(seconds=10)


@keeper("payments.patrol", every=60.0)
def patrol(*, now: datetime) -> int:
    """Find payments and refunds that are unfinished a quarter of an hour after they were begun."""
    return watching.patrol(limit=LOOK_THROUGH, now=now)


@keeper("payments.ask_after", every=10.0)
def ask_after(*, now: datetime) -> int:
    """Ask the gateway about those that no step is at work on, and write down what it says: webhooks may get lost.

    While it is out of reach nobody is taken in hand, and those it told nothing of are asked about a little later: a
    look that was none does not count.
    """
    with transaction.atomic():
        watched = watching.take_watched(limit=room_for(gateways.RETRIEVE, ASK), now=now)
    asked = {str(one.id): one for one in _left_alone(watched)}
    silent: dict[UUID, datetime] = {}
    for question, answer in side_by_side(ask_about, [_question(one) for one in asked.values()]):
        if was_not_told(answer):
            silent[asked[question.about].id] = max(answer.retry_at or now, now + SOON)
        else:
            one_of_many(question.about, partial(_write_down, question, answer, now))
    watching.look_again(silent)
    return len(watched)


def _write_down(question: Question, answer: Any, now: datetime) -> int:
    with transaction.atomic():
        return len(apply_answers([(question, answer)], now=now))


def _left_alone(watched: Sequence[Watched]) -> list[Watched]:
    """Those that the provider knows, and that no step looks after by itself."""
    busy = at_work({one.saga_id for one in watched if one.reference}, REFUND_STEPS)
    busy |= at_work({one.saga_id for one in watched if not one.reference}, PAYMENT_STEPS)
    return [one for one in watched if one.intent_id and one.saga_id not in busy]


def _question(one: Watched) -> Question:
    about = {"saga_id": one.payment_saga_id, "intent_id": one.intent_id}
    if one.reference:
        return Question(str(one.id), about | {"reference": one.reference})
    return Question(str(one.id), about | {"place": (one.state, one.version), "share_saga": one.share_saga})


@keeper("payments.ask_disputes", every=600.0)
def ask_disputes(*, now: datetime) -> int:
    """Look through the gateway's newest disputes, and ask how the open ones of ours stand: webhooks may get lost."""
    if not room_for(gateways.RETRIEVE, 1):
        return 0
    fresh = ask_through(gateways.RETRIEVE, lambda: gateways.get_gateway().list_disputes(limit=NEWEST))
    listed = asking.news_among(fresh.items) if isinstance(fresh, Page) else []
    known = queries.find_told({one.intent_id for one in listed if one.intent_id}).payments
    told = [
        (question_about(known[one.intent_id].saga_id, one.intent_id, one.id), one)
        for one in listed
        if one.intent_id in known
    ]
    with transaction.atomic():
        due = asking.take_due(limit=room_for(gateways.RETRIEVE, ASK), now=now)
    told += side_by_side(ask_about, [question_about(*one) for one in due])
    for question, answer in told:
        if not was_not_told(answer):
            one_of_many(question.about, partial(_write_down, question, answer, now))
    return len(told)


@keeper("payments.renew_holds", every=60.0)
def renew_holds(*, now: datetime) -> int:
    """Warn of holds that will run out before they are captured, and start to renew them."""
    return expiring.renew_expiring(limit=LOOK_THROUGH, now=now)


@keeper("payments.reconcile", every=60.0)
def reconcile(*, now: datetime) -> int:
    """Compare yesterday with the provider's record once it is `RECONCILE_AT`."""
    return some_pages(read_time(settings.WAYBILL.reconcile_at), now=now)
