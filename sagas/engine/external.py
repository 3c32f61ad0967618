"""External batches: claim with a lease, call outside any transaction, record in slices as answers arrive.

Threads make the outside call and nothing else. A slice is what arrived within a moment, or so many answers, so that
one black hole holds up nobody. The claim is so small that the whole batch is through in half its lease.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction

from sagas import circuits, log
from sagas.crash import crash_point
from sagas.engine import local, store
from sagas.engine.advance import Advance
from sagas.engine.batch import (
    RNG,
    Batch,
    Claimed,
    calls,
    check_answers,
    commit,
    in_halves,
    led,
    needs_all,
    plan_of,
    report,
    take,
    told_apart,
)
from sagas.engine.calling import Answered, Asked, Flying, handler_of
from sagas.engine.cases import open_case
from sagas.engine.core import Outcome
from sagas.engine.rows import COMPENSATED, COMPENSATING, DO, PENDING, UNDO, Change, SagaRow, StepRow
from sagas.quoting import words_of
from sagas.steps import Ask, Continue, Step, StepCall
from sagas.turns import worker_name
from sagas.verdicts import Unavailable, Unknown


def claim_limit(step: Step, wanted: int) -> int:
    """How many calls fit into half a lease: ceil(n / concurrency) * call time-out < lease / 2."""
    w = settings.WAYBILL
    rounds = max(1, math.floor(w.lease_seconds / 2 / w.call_timeout_seconds - 1e-9))
    return max(1, min(wanted, w.external_claim_limit, rounds * w.concurrency_of(step.provider)))


def run(step: Step, *, limit: int, fuse: frozenset[str] = frozenset()) -> Batch:
    """Run one batch of an external step to the last recorded slice.

    `fuse` names the queues whose next local steps may follow in the commit that records an answer.
    """
    limit = claim_limit(step, limit)
    grant = circuits.admit(step, limit)
    if not grant.count:
        return _put_off(step, limit) if grant.shut else Batch()
    asked: list[Asked] = []
    seen: list[UUID] = []
    try:
        batch, asked = _claim(step, limit=grant.count, ids=None, seen=seen)
    except Exception as error:
        if not seen:
            raise
        told_apart(step, len(seen), error)
        return _isolate_begin(step, seen)
    finally:
        circuits.breaker_of(step).give_back(grant, grant.count - len(asked))
    for one in asked:
        one.probing = grant.probing
    crash_point(f"{step.name}.after_claim")
    batch.add(_call_and_record(step, asked, fuse))
    return batch


def run_these(step: Step, ids: Sequence[UUID]) -> Batch:
    """Run exactly these rows, if they are due."""
    batch, asked = _claim(step, limit=len(ids), ids=ids, seen=[])
    batch.add(_call_and_record(step, asked, frozenset()))
    return batch


def _put_off(step: Step, limit: int) -> Batch:
    """The circuit is open: what is due waits for it with a wake-up time. It uses up no try, and nobody is called."""
    seen: list[UUID] = []
    try:
        return _put_off_these(step, limit=limit, ids=None, seen=seen)
    except Exception as error:
        if not seen:
            raise
        told_apart(step, len(seen), error)
        these = partial(_put_off_these, step, limit=limit, seen=[])
        return in_halves(seen, lambda ids: these(ids=ids), partial(local.park, step))


def _put_off_these(step: Step, *, limit: int, ids: Sequence[UUID] | None, seen: list[UUID]) -> Batch:
    with transaction.atomic():
        now, pairs = store.claim(step.name, step.provider, limit=limit, ids=ids)
        if now is None:
            return Batch()
        claimed = take(pairs, now=now)
        seen.extend(c.row.id for c in claimed)
        batch = local.record([(c, circuits.put_off(step, now)) for c in claimed], now=now)
        batch.claimed, batch.full = len(claimed), len(claimed) == limit
    return batch


def _isolate_begin(step: Step, ids: Sequence[UUID]) -> Batch:
    batch = in_halves(ids, partial(run_these, step), partial(local.park, step))
    batch.full = True
    return batch


def _claim(
    step: Step, *, limit: int, ids: Sequence[UUID] | None, seen: list[UUID]
) -> tuple[Batch, list[Asked]]:
    """Claim, let the app write what it is about to try, and take the lease: one short transaction."""
    with transaction.atomic():
        now, pairs = store.claim(step.name, step.provider, limit=limit, ids=ids)
        if now is None:
            return Batch(), []
        claimed = take(pairs, now=now)
        settling = {c.row.id: _unsettled(c.row, c.saga) for c in claimed}
        seen.extend(c.row.id for c in claimed)
        batch, asked = _begin(step, claimed, settling, now)
        batch.claimed, batch.full = len(claimed), len(claimed) == limit
    return batch, asked


def _unsettled(row: StepRow, saga: SagaRow) -> bool:
    """Whether an earlier attempt may have done it. A saga that turns back begins nothing new in any case."""
    turning = row.direction == DO and saga.state in (COMPENSATING, COMPENSATED) and not saga.choreographed
    return row.verdict == Unknown.word or turning


def _begin(
    step: Step, claimed: Sequence[Claimed], settling: dict[UUID, bool], now: datetime
) -> tuple[Batch, list[Asked]]:
    for c in claimed:
        plan_of(c.saga)
    wanted = calls(step, claimed, now=now, settling=settling)
    with log.about(led=led(c.saga for c in claimed)):
        begun = handler_of(step).begin(wanted)
    check_answers(step, len(claimed), begun)
    pairs = list(zip(claimed, begun, strict=True))
    asked = [Asked(c, b, settling[c.row.id]) for c, b in pairs if isinstance(b, Ask)]
    _take_leases([a.claimed for a in asked], now)
    early = [(c, b) for c, b in pairs if not isinstance(b, Ask)]
    batch = local.record(early, now=now) if early else Batch()
    return batch, asked


def _take_leases(claimed: Sequence[Claimed], now: datetime) -> None:
    until = now + timedelta(seconds=settings.WAYBILL.lease_seconds)
    for c in claimed:
        c.row.lease_until = c.row.wake_at = until
        c.row.worker = worker_name()
    store.lease([c.row for c in claimed], now=now, worker=worker_name())
    store.mark_running([c.saga.id for c in claimed if c.saga.state == PENDING], now=now)


def _call_and_record(step: Step, asked: Sequence[Asked], fuse: frozenset[str]) -> Batch:
    """Make the calls side by side; record slices as they come; go on at once with those that continue."""
    batch, flying = Batch(), Flying(step)
    flying.send(asked)
    while flying:
        back = flying.slice()
        crash_point(f"{step.name}.after_call_before_commit")
        recorded, again = _record(step, back, fuse)
        crash_point(f"{step.name}.after_commit")
        batch.add(recorded)
        flying.send(again)
    return batch


def _record(step: Step, answered: Sequence[Answered], fuse: frozenset[str]) -> tuple[Batch, list[Asked]]:
    """Record a slice, and go straight on where that can be done in the same commit."""
    try:
        return _record_slice(step, answered, fuse)
    except Exception as error:  # noqa: BLE001 - whatever it was, here or in a step that followed, is found alone
        told_apart(step, len(answered), error)
        return _record_alone(step, answered)


def _record_alone(step: Step, answered: Sequence[Answered]) -> tuple[Batch, list[Asked]]:
    """Record a slice and nothing else; one that raises is halved, and the one at fault is parked, outcome unknown."""
    again: list[Asked] = []
    by_id = {a.asked.claimed.row.id: a for a in answered}

    def these(ids: Sequence[UUID]) -> Batch:
        batch, more = _record_slice(step, [by_id[i] for i in ids], frozenset())
        again.extend(more)
        return batch

    def park(row_id: UUID, error: Exception) -> Batch:
        return _park(by_id[row_id], error)

    return in_halves(list(by_id), these, park), again


def _record_slice(
    step: Step, answered: Sequence[Answered], fuse: frozenset[str]
) -> tuple[Batch, list[Asked]]:
    with transaction.atomic(), log.gathered():
        now, sagas = store.lock_sagas(a.asked.claimed.saga.id for a in answered)
        if now is None:
            return Batch(), []
        mine = store.steps([a.asked.claimed.row.id for a in answered])
        slips = [_Slip(a, sagas[a.asked.claimed.saga.id], mine[a.asked.claimed.row.id]) for a in answered]
        pairs = [
            (slip, slip.spared(step, o, now))
            for slip, o in zip(slips, _ask_app(step, slips, now), strict=True)
        ]
        batch = _decide(pairs, sagas, now, fuse)
    again = [slip.again(o, now) for slip, o in pairs if isinstance(o, Continue) and slip.mine]
    return batch, again


def _decide(
    pairs: Sequence[tuple[_Slip, Outcome]],
    sagas: Mapping[UUID, SagaRow],
    now: datetime,
    fuse: frozenset[str],
) -> Batch:
    """Write what the answers of a slice decide: plain steps forward together, the others by the rules."""
    way = Advance(now)
    fit, others = way.sort([(slip.own, outcome) for slip, outcome in pairs if slip.in_time])
    moved = way.go(fit)
    by_rule = {claimed.row.id for claimed, _ in others}
    rest = [(slip, o) for slip, o in pairs if not slip.in_time or slip.row.id in by_rule]
    known = store.steps_of(s.saga.id for s, o in rest if s.late or needs_all(s.own, o))
    changes = [slip.decide(outcome, known.get(slip.saga.id, ()), now) for slip, outcome in rest]
    due = commit(changes, sagas, now=now).due
    due |= local.go_on(moved, way, fuse=fuse).due
    return Batch(len(pairs), due=due | way.write())


class _Slip:
    """One answer beside the rows as they stand now: is it still ours, and is it too late to go forward?"""

    def __init__(self, answered: Answered, saga: SagaRow, row: StepRow) -> None:
        self.answered = answered
        self.claimed = answered.asked.claimed
        self.saga, self.row = saga, row
        self.own = Claimed(row, saga)
        #: Ours, and not a bug: noted now, since going forward changes the row.
        self.in_time = self.mine and answered.bug is None

    @property
    def mine(self) -> bool:
        """Nobody has taken the claim over."""
        return self.row.open and self.row.attempt == self.claimed.row.attempt

    @property
    def late(self) -> bool:
        """The claim is over, or the saga has turned back since."""
        return not self.mine or self._fence != self.claimed.row.epoch

    @property
    def _fence(self) -> int:
        """Turning back raises it: the saga's own, in a choreography each step's."""
        return self.row.epoch if self.saga.choreographed else self.saga.epoch

    def call(self, now: datetime) -> StepCall:
        return replace(self.answered.asked.ask.call, now=now, late=self.late, cause=self.saga.cause)

    def spared(self, step: Step, outcome: Outcome, now: datetime) -> Outcome:
        """The answer, or the same without using up a try where it is part of an outage."""
        if self.answered.spared and not self.answered.bug and isinstance(outcome, (Unavailable, Unknown)):
            return circuits.spared(step, outcome, now)
        return outcome

    def decide(self, outcome: Outcome, known: Sequence[StepRow], now: datetime) -> Change:
        others = [r for r in known if r.id != self.row.id]
        case = open_case(plan_of(self.saga), self.saga, [*others, self.row], now=now, rng=RNG)
        if self.answered.bug is not None:
            report(self.answered.bug, self.saga, self.row)
            case.broke(self.row, self.claimed.row.attempt, "bug", words_of(self.answered.bug))
        else:
            case.heard(self.row, self.claimed.row.attempt, outcome)
        return case.change()

    def again(self, outcome: Continue, now: datetime) -> Asked:
        old = self.answered.asked
        memo = {**self.row.memo, **outcome.memo}
        return Asked(
            old.claimed,
            replace(old.ask, call=replace(old.ask.call, memo=memo, now=now)),
            self._still_settling(),
            old.probing,
        )

    def _still_settling(self) -> bool:
        # A saga that turned back while the call was out must not begin anything new.
        turned = self.late if self.saga.choreographed else self.saga.state in (COMPENSATING, COMPENSATED)
        return turned and self.row.direction != UNDO


def _ask_app(step: Step, slips: Sequence[_Slip], now: datetime) -> list[Outcome]:
    """Let the app store the truth. A bug in a thread is recorded as an unknown outcome."""
    answers = [(s.call(now), s.answered.outcome) for s in slips]
    with log.about(led=led(s.saga for s in slips)):
        outcomes = handler_of(step).record(answers)
    check_answers(step, len(slips), outcomes)
    return list(outcomes)


def _park(answered: Answered, error: Exception) -> Batch:
    """The app could not record an answer: that saga stands still, its outcome unknown."""
    claimed = answered.asked.claimed
    with transaction.atomic():
        now, sagas = store.lock_sagas([claimed.saga.id])
        if now is None:
            return Batch()
        known = store.steps_of(sagas)[claimed.saga.id]
        row = next(r for r in known if r.id == claimed.row.id)
        if isinstance(error, OperationalError) or not row.open or row.attempt != claimed.row.attempt:
            return Batch()  # the lease runs out and the step is settled
        report(error, sagas[claimed.saga.id], row)
        return local.crash([(Claimed(row, sagas[claimed.saga.id]), error)], now=now)


__all__ = ["claim_limit", "run", "run_these"]
