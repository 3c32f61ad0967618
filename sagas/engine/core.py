"""The rules of a saga, pure: (rows, verdict, now) -> changes. No clock, no database, no randomness of its own.

Forward, a stage is done when all its steps are; behind the pivot nothing turns back. Backward, undos go newest
first; one that has to be tried again lets the older ones go on, and the undo of the first step waits for all.
A step whose outcome is unknown is settled before its undo runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from sagas.definition import Kind, Place
from sagas.engine.case import OpenCase
from sagas.engine.rows import (
    COMPENSATED,
    COMPENSATING,
    COMPLETED,
    DO,
    DONE,
    DROPPED,
    DUE,
    FINAL,
    GAVE_UP,
    PARKED,
    PAUSED,
    REFUSED,
    RUNNING,
    SKIPPED,
    UNDO,
    WAITING,
    StepRow,
)
from sagas.steps import Continue, NotDone, get_step
from sagas.verdicts import Answer, Done, Refused, Unavailable, Unknown, Verdict, Waiting

Outcome = Answer | Continue


class Case(OpenCase):
    """One saga and its rows while they are decided on."""

    # --- a step has answered -------------------------------------------------------------------------------

    def heard(self, row: StepRow, attempt: int, outcome: Outcome) -> None:
        """Take an answer from a claim: in its own attempt, or late when that is over."""
        if row.open and row.attempt == attempt:
            self.answer(row, outcome)
        else:
            self.late_answer(row, outcome)

    def broke(self, row: StepRow, attempt: int, code: str, detail: str) -> None:
        """Take a handler's fault instead of an answer from a claim. Of a claim that is over it stops nobody."""
        if row.open and row.attempt == attempt:
            self.crashed(row, code, detail)
        else:
            self.late_answer(row, Unknown(code, detail))

    def answer(self, row: StepRow, outcome: Outcome) -> None:
        """Take one step's answer in its own attempt and epoch."""
        row = self.touch(row)
        if isinstance(outcome, Continue):
            row.memo = {**row.memo, **outcome.memo}
            return
        if self._contradicted(row, outcome):
            outcome = Unknown("contradicted", "An earlier attempt turned out to have done it.")
        self._note(row, outcome)
        row.lease_until, row.worker = None, ""
        if self.saga.hold == WAITING:
            self.lift_after(row)
        if row.direction == UNDO:
            self._undo_answered(row, outcome)
        elif self.turning(row):
            self._settled_while_turning_back(row, outcome)
        else:
            self._step_answered(row, outcome)

    def late_answer(self, row: StepRow, outcome: Outcome) -> None:
        """Take an answer whose attempt or epoch is over. It never moves a saga forward; a late success is undone."""
        row = self.touch(row)
        self.late = True
        if isinstance(outcome, Continue):
            row.memo = {**row.memo, **outcome.memo}
            return
        self._note(row, outcome, late=True)
        if row.direction == UNDO:
            return
        if not self.turned(row):
            self._doubt(row, outcome)
        elif isinstance(outcome, Done):
            self.finish(row, DONE, outcome.result)
            self._undo_again(row)
            self.turned_back = True
        elif isinstance(outcome, Unknown):
            self.reopen(row)
            row.verdict = Unknown.word
            self._undo_again(row)

    def _doubt(self, row: StepRow, outcome: Answer) -> None:
        """An earlier attempt has, or may have, done after all what this row is still to do: it is asked after first."""
        if not row.open or not isinstance(outcome, (Done, Unknown)):
            return
        row.verdict = Unknown.word
        if row.lease_until is None and row.wake_at is not None:
            row.wake_at = self.now

    @staticmethod
    def _contradicted(row: StepRow, outcome: Answer) -> bool:
        """Whether a late success has come in while this attempt was out, which then cannot say that it was not done."""
        if row.direction == UNDO or isinstance(outcome, (Done, Unknown, Unavailable)):
            return False
        since = takewhile(
            lambda word: word.startswith("late "), (entry[2] for entry in reversed(row.history))
        )
        return not {f"late {Done.word}", f"late {Unknown.word}"}.isdisjoint(since)

    def crashed(self, row: StepRow, code: str, detail: str) -> None:
        """The handler is at fault. This saga stands still until a person looks; nothing is assumed of the outcome."""
        row = self.touch(row)
        row.code, row.detail = code, detail[:500]
        if row.lease_until is not None:
            row.verdict = Unknown.word
        self._remember(row, "bug")
        row.lease_until, row.wake_at, row.worker = None, None, ""
        if self.turning(row):
            self.finish(row, GAVE_UP)
            self.release()
        else:
            self.park(f"{row.name}: {code}")

    def turning(self, row: StepRow) -> bool:
        """Whether this row's work is on its way back."""
        del row
        return self.saga.state == COMPENSATING

    def turned(self, row: StepRow) -> bool:
        """Whether this row's work is being given back, or was."""
        del row
        return self.saga.state in (COMPENSATING, COMPENSATED)

    def _step_answered(self, row: StepRow, outcome: Answer) -> None:
        match outcome:
            case Done():
                self.finish(row, DONE, outcome.result)
                self.advance()
            case NotDone():
                self.new_intent(row)
            case Refused():
                self._step_refused(row, outcome)
            case Waiting():
                row.wake_at = outcome.until
                self._hold(WAITING, outcome.code, owner="")
                self.keep_promise(outcome.promised)
                self._bound_by_timeout(row, outcome.code)
            case _:
                self._try_again(row, outcome)

    def _step_refused(self, row: StepRow, outcome: Refused) -> None:
        if self._kind(row) is Kind.RETRIABLE:
            row.wake_at = None
            self.park(f"{row.name}: {outcome.code}")
            return
        self.finish(row, REFUSED)
        self.turn_back("refused", outcome.code, row.name)

    def _try_again(self, row: StepRow, outcome: Answer) -> None:
        policy = get_step(row.name).retry
        _count_try(row, outcome)
        code = getattr(outcome, "code", "")
        if policy.exhausted(row.tries):
            row.wake_at = None
            self.park(f"{row.name}: {code} after {row.tries} tries")
            return
        row.wake_at = self._retry_at(row, outcome)
        if not isinstance(outcome, Unknown):
            self._bound_by_timeout(row, code)

    def _bound_by_timeout(self, row: StepRow, code: str) -> None:
        """Past its time-out a step turns the saga back, behind the pivot it parks it. An unknown pivot goes on."""
        timeout = get_step(row.name).retry.timeout
        if timeout is None or row.began_at is None:
            return
        end = row.began_at + timedelta(seconds=timeout)
        if self.now < end:
            row.wake_at = min(row.wake_at or end, end)
        elif self._kind(row) is Kind.PIVOT and not row.settled:
            return
        elif self._kind(row) is Kind.RETRIABLE:
            row.wake_at = None
            self.park(f"{row.name}: timed out, {code}")
        else:
            self.turn_back("deadline", "step_timed_out", row.name)

    def _retry_at(self, row: StepRow, outcome: Answer) -> datetime:
        if isinstance(outcome, Verdict) and outcome.not_before is not None:
            return max(outcome.not_before, self.now)
        if isinstance(outcome, Unavailable) and outcome.retry_at is not None:
            return max(outcome.retry_at, self.now)
        return get_step(row.name).retry.next_at(row.tries, now=self.now, rng=self.rng)

    # --- forward -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A first claim: the saga runs."""
        if self.saga.state == "pending":
            self.saga.state = RUNNING

    def advance(self) -> None:
        """Open the next stage if this one is done; complete the saga after the last."""
        self.begin()
        stage = self.plan.stages[self.saga.stage]
        if not all(self._is_done(place) for place in stage):
            return
        self.saga.stage += 1
        if self.saga.stage == len(self.plan.stages):
            self.saga.state, self.saga.finished_at, self.saga.deadline_at = COMPLETED, self.now, None
            self.lift()
            return
        for place in self.plan.stages[self.saga.stage]:
            self._create(place.position, DO, place.spec.name, wake_at=self.now)

    def _is_done(self, place: Place) -> bool:
        row = self.rows.get((place.position, DO))
        return row is not None and row.state in (DONE, SKIPPED)

    # --- backward ------------------------------------------------------------------------------------------

    @property
    def can_turn_back(self) -> bool:
        """Whether the pivot has not been passed and is not out there with an unknown outcome."""
        if self.saga.state in (COMPENSATING, *FINAL) or self.saga.stage > self.plan.pivot_stage:
            return False
        if not any(p.spec.kind is Kind.COMPENSATABLE for p in self.plan.places):
            return False
        return self.saga.stage < self.plan.pivot_stage or self._pivot_untouched()

    @property
    def pivot_in_flight(self) -> bool:
        """Whether the pivot may just be happening, or may have happened unseen."""
        return (
            self.saga.state not in FINAL
            and self.saga.stage == self.plan.pivot_stage
            and not self._pivot_untouched()
        )

    def _pivot_untouched(self) -> bool:
        places = (
            self.plan.stages[self.plan.pivot_stage] if self.plan.pivot_stage < len(self.plan.stages) else ()
        )
        rows = [self.rows.get((place.position, DO)) for place in places]
        return all(r is None or (r.state in (DUE, REFUSED, DROPPED) and r.settled) for r in rows)

    def turn_back(self, cause: str, code: str, step: str) -> None:
        """Give everything back. Raises the epoch, so that nothing still out there can move the saga forward."""
        saga = self.saga
        saga.state, saga.epoch, saga.deadline_at = COMPENSATING, saga.epoch + 1, None
        saga.cause, saga.cause_code, saga.cause_step = cause, code, step
        if saga.hold != PAUSED:
            self.lift()
        self.turned_back = True
        for row in [r for r in self.rows.values() if r.direction == DO]:
            self._plan_undo(row)
        self.release()

    def _plan_undo(self, row: StepRow) -> None:
        began = row.attempt > 0 and row.state not in (REFUSED, DROPPED)
        if row.open and row.settled:
            self.finish(self.touch(row), DROPPED)
        elif row.open:
            row = self.touch(row)
            row.tries, row.wake_at = 0, row.lease_until or self.now
        # The first step's subject exists before the saga does: it is ended even if no step ever ran.
        first = row.position == 0 and row.state != REFUSED
        undo = self.plan.undo_of(row.position)
        if undo and (began or first or row.state == SKIPPED):
            self._create(row.position, UNDO, undo, wake_at=None, key=row.key)

    def release(self) -> None:
        """Let the newest undo go that may; finish or park the saga when none is left that can."""
        undos = sorted((r for r in self.rows.values() if r.direction == UNDO), key=lambda r: -r.position)
        for row in undos:
            if row.open and self._stops_older_ones(row, undos):
                break
        self._end_compensation(undos)

    def _stops_older_ones(self, row: StepRow, undos: Sequence[StepRow]) -> bool:
        do = self.rows.get((row.position, DO))
        if do is not None and do.open:
            return do.tries == 0
        if do is not None and do.state == GAVE_UP:
            return False
        if row.position == 0 and not all(r.state in (DONE, SKIPPED) for r in undos if r is not row):
            return True
        if row.wake_at is None and row.lease_until is None:
            self.touch(row).wake_at = self.now
        return row.tries == 0

    def _end_compensation(self, undos: Sequence[StepRow]) -> None:
        open_rows = [r for r in self.rows.values() if r.open]
        kept = [r.name for r in self.rows.values() if self._is_for_good(r)]
        if not open_rows and not kept and all(r.state in (DONE, SKIPPED) for r in undos):
            self.saga.state, self.saga.finished_at = COMPENSATED, self.now
            self.lift()
        elif not any(r.wake_at or r.lease_until for r in open_rows):
            stuck = [f"{r.name}: {r.code or r.verdict}" for r in self.rows.values() if r.state == GAVE_UP]
            stuck += [f"{name}: done, and cannot be given back" for name in kept]
            self.park("; ".join(stuck) or "nothing left that can run")

    def _is_for_good(self, row: StepRow) -> bool:
        """Whether this step did, unseen until the saga had turned back, what has no undo: a person must decide.

        Also if a person said that it did, instead of letting it be asked after.
        """
        known_done = row.direction == DO and row.state in (DONE, SKIPPED)
        return known_done and self._kind(row) is not Kind.COMPENSATABLE

    def _undo_answered(self, row: StepRow, outcome: Answer) -> None:
        match outcome:
            case Done():
                self.finish(row, DONE, {})
            case Refused():
                self.finish(row, GAVE_UP)
            case Waiting():
                row.wake_at, row.tries = outcome.until, row.tries + 1
            case _:
                self._retry_or_give_up(row, outcome)
        self.release()

    def _settled_while_turning_back(self, row: StepRow, outcome: Answer) -> None:
        match outcome:
            case Done():
                self.finish(row, DONE, outcome.result)
                self.undo_after_all(row)
            case Refused():
                self.finish(row, DROPPED)
            case Waiting():
                self.finish(row, DROPPED)
            case _:
                self._retry_or_give_up(row, outcome)
        self.release()

    def _retry_or_give_up(self, row: StepRow, outcome: Answer) -> None:
        _count_try(row, outcome)
        if get_step(row.name).retry.exhausted(row.tries):
            self.finish(row, GAVE_UP)
        else:
            row.wake_at = self._retry_at(row, outcome)

    def undo_after_all(self, row: StepRow) -> None:
        """A step turns out to be done on the way back: its undo, if a person has ended it by hand, comes again."""
        undo = self.rows.get((row.position, UNDO))
        if row.direction == DO and undo is not None and not undo.open:
            self._undo_again(row)

    def _undo_again(self, row: StepRow) -> None:
        """A late answer tells that this step has, or may have, done something: its undo comes after all."""
        if self.saga.state == COMPENSATED:
            self.saga.state, self.saga.finished_at = COMPENSATING, None
        if self.saga.hold == PARKED:
            self.lift()
        undo, name = self.rows.get((row.position, UNDO)), self.plan.undo_of(row.position)
        if undo is not None:
            self.reopen(undo)
            undo.wake_at = None
        elif name is not None:
            self._create(row.position, UNDO, name, wake_at=None, key=row.key)
        self.release()

    def reopen(self, row: StepRow) -> None:
        """Make a row due again with fresh tries; what is still out there for it is fenced off."""
        row = self.touch(row)
        row.state, row.finished_at, row.tries = DUE, None, 0
        row.attempt, row.lease_until, row.wake_at = row.attempt + 1, None, self.now


def _count_try(row: StepRow, outcome: Answer) -> None:
    """Count a try that came to nothing. Those that do not count are one in all: nobody waits for this row any more."""
    spends = not isinstance(outcome, Verdict) or outcome.spends
    row.tries = row.tries + 1 if spends else max(row.tries, 1)
