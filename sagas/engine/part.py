"""The rules of a choreographed saga, pure: each app's steps are its own, and nobody tells anybody to go on.

An app takes a step on because an event told it to, and gives back what it did because another event did. So
every question is asked of one app's rows only: is it giving back, is it done? The undo row of an app is its
tombstone for that saga: nothing of that app begins after it. What the saga as a whole has come to is read off
the rows whenever they change; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sagas.definition import Kind, Place
from sagas.engine.core import Case
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
    REFUSED,
    SKIPPED,
    UNDO,
    Change,
    SagaRow,
    StepRow,
)
from sagas.steps import get_step
from sagas.verdicts import Answer, Refused

#: So long may pass with nothing due and nothing heard before a person is called.
SILENCE = timedelta(minutes=15)
#: Time is granted in advance, so that not every step has to write its saga only to push the end of patience on.
PATIENCE = timedelta(minutes=20)
#: How the reason of a saga that was parked for its silence begins.
SILENT = "silent"
#: Events a saga remembers having heard; more than any flow has.
MOST_HEARD = 60

NOTHING_TO_UNDO = "nothing_to_undo"

Heard = tuple[str, str, int]  #: Type, stream and version of an event.


def remember(saga: SagaRow, heard: Iterable[Heard]) -> bool:
    """Keep events with their saga; whether any was new. One that has ended waits for nothing any more."""
    if saga.state in FINAL:
        return False
    known = [tuple(item) for item in saga.context.get("heard", [])]
    new = [item for item in heard if item not in known]
    if new:
        kept = [list(item) for item in (*known, *new)][-MOST_HEARD:]
        saga.context = {**saga.context, "heard": kept}
    return bool(new)


def time_is_short(saga: SagaRow, now: datetime) -> bool:
    """Whether less than SILENCE may pass before a person is called."""
    return saga.deadline_at is None or saga.deadline_at < now + SILENCE


def listen(saga: SagaRow, heard: Iterable[Heard], now: datetime) -> Change:
    """What hearing alone does to a saga that nothing holds: no step of it is touched, so none need be known."""
    after = saga.copy()
    if changed := remember(after, heard):
        after.moved_at = now
        if time_is_short(after, now):
            after.deadline_at = now + PATIENCE
    return Change(after, changed, [], [])


class Part(Case):
    """Works on copies, as `Case` does; `change()` tells what differs."""

    # --- what an event makes an app do -----------------------------------------------------------------------

    def take_on(self, name: str) -> None:
        """Begin an app's step, unless it has begun or the app has given back already. Safe to repeat.

        Nor once somebody has said no: the app will hear of it in a moment.
        """
        place = next((p for p in self.plan.places if p.spec.name == name), None)
        over = self.saga.cause or self.saga.state in FINAL or self.undo_for(name)
        if place is None or over or (place.position, DO) in self.rows:
            return
        self._lift_silence()
        self.begin()
        self._create(place.position, DO, name, wake_at=self.now)

    def give_back(self, name: str, cause: str, code: str, *, after: Collection[str] = ()) -> None:
        """Begin an app's undo; what it has not begun it never will. Safe to repeat, and before anything was begun.

        With `after` the undo waits until those apps have answered. The undo of an app that has begun nothing is
        dropped at once: it is a tombstone and nothing else.
        """
        place = self._undone_by(name)
        if place is None or self.saga.state in FINAL:
            return
        self._note_cause(cause, code, "")
        if (place.position, UNDO) not in self.rows:
            if after:
                self.saga.context = {**self.saga.context, "awaits": sorted(after)}
            self._begin_undo(place, name)
        self.release()

    def wish(self, reason: str) -> None:
        """Somebody wants it all back: each app will hear of it."""
        self._note_cause("intent", reason, "")
        if self.saga.hold == PARKED:
            self.lift()

    def answered(self, by: str) -> None:
        """Note that the app `by` holds nothing any more: the undo that waits for it may go. Safe to repeat."""
        known = self.saga.context.get("answered", [])
        if by not in known:
            self.saga.context = {**self.saga.context, "answered": [*known, by]}
            self._lift_silence()
            self.release()

    def hear(self, heard: Iterable[Heard]) -> None:
        """Remember events of this saga, so that they can be delivered again and silence can be told from waiting."""
        if remember(self.saga, heard):
            self._lift_silence()

    def pass_silence(self) -> None:
        """The time for something to happen is over: call a person, unless something is still due."""
        if any(self._runs(row) for row in self.rows.values()):
            return  # change() grants more time
        last = self.saga.context.get("heard", [])
        self.park(f"{SILENT}: nothing followed {last[-1][0] if last else 'its start'}")

    # --- where an app stands ---------------------------------------------------------------------------------

    def undo_for(self, name: str) -> StepRow | None:
        """The undo row of the app that owns a step: its tombstone."""
        return next(
            (r for r in self.rows.values() if r.direction == UNDO and _app(r.name) == _app(name)), None
        )

    def turning(self, row: StepRow) -> bool:
        return row.direction == DO and self.undo_for(row.name) is not None

    def turned(self, row: StepRow) -> bool:
        """Also a step that was refused, or ended by hand, may turn out to be done by a call that lingered."""
        back = self.saga.state in (COMPENSATING, COMPENSATED)
        return back and row.direction == DO and (self.turning(row) or not row.open)

    def advance(self) -> None:
        """Nothing follows by itself: the event of the step is what lets others go on."""
        self.begin()

    def _draw(self) -> None:
        """Draw what the saga has come to, as its rows tell."""
        done = [self._is_done(place) or self._was_done(place) for place in self.plan.places]
        self.saga.stage = next((n for n, is_done in enumerate(done) if not is_done), len(done))
        if self.saga.state in FINAL:
            return
        if all(done):
            self._end(COMPLETED)
        elif self._all_given_back():
            self._end(COMPENSATED)

    def _was_done(self, place: Place) -> bool:
        """Whether its row was not loaded because it was done when the picture was drawn last."""
        return (place.position, DO) not in self.rows and place.position < self.saga.stage

    def _end(self, state: str) -> None:
        self.saga.state, self.saga.finished_at = state, self.now
        self.lift()

    def _all_given_back(self) -> bool:
        first = self.rows.get((0, UNDO))
        settled = not any(r.open or r.state == GAVE_UP for r in self.rows.values())
        return first is not None and first.state in (DONE, SKIPPED) and settled

    # --- forward ---------------------------------------------------------------------------------------------

    def _step_answered(self, row: StepRow, outcome: Answer) -> None:
        super()._step_answered(row, outcome)
        if self.saga.cause:
            self._stand_still()

    def _step_refused(self, row: StepRow, outcome: Refused) -> None:
        if self._kind(row) is Kind.RETRIABLE:
            super()._step_refused(row, outcome)
            return
        self.finish(row, REFUSED)
        self._note_cause("refused", outcome.code, row.name)

    def _bound_by_timeout(self, row: StepRow, code: str) -> None:
        """Past its time-out a step waits for a person: nobody else may turn the others back."""
        timeout = get_step(row.name).retry.timeout
        if timeout is None or row.began_at is None:
            return
        end = row.began_at + timedelta(seconds=timeout)
        if self.now < end:
            row.wake_at = min(row.wake_at or end, end)
        else:
            row.wake_at = None
            self.park(f"{row.name}: timed out, {code}")

    def _note_cause(self, cause: str, code: str, step: str) -> None:
        """The first one who says no is the cause, whoever hears of it first."""
        saga = self.saga
        if saga.cause:
            return
        saga.cause, saga.cause_code, saga.cause_step = cause, code[:100], step
        saga.state = COMPENSATING
        self._stand_still()

    def _stand_still(self) -> None:
        """What has done nothing begins nothing more: its app will hear of the no, and drop it."""
        for row in [r for r in self.rows.values() if r.direction == DO and r.open and r.settled]:
            self.touch(row).wake_at = None

    # --- backward --------------------------------------------------------------------------------------------

    def _undone_by(self, name: str) -> Place | None:
        return next((p for p in self.plan.places if self.plan.undo_of(p.position) == name), None)

    def _begin_undo(self, place: Place, name: str) -> None:
        mine = [r for r in self.rows.values() if r.direction == DO and _app(r.name) == _app(name)]
        did = any(r.attempt > 0 and r.state not in (REFUSED, DROPPED) for r in mine)
        for row in mine:
            self._stop(row)
        self._open_undo(place)
        if not did and place.position != 0:
            undo = self.rows[place.position, UNDO]
            self.finish(undo, DROPPED)
            undo.code = NOTHING_TO_UNDO
        if self.saga.hold == PARKED:
            self.lift()

    def _open_undo(self, place: Place) -> None:
        row, undo = self.rows.get((place.position, DO)), self.plan.undo_of(place.position)
        if undo is not None:
            self._create(place.position, UNDO, undo, wake_at=None, key=row.key if row is not None else None)

    def _given_back_at(self, row: StepRow) -> Place:
        """The place of the app's undo."""
        return next(
            p
            for p in self.plan.places
            if self.plan.undo_of(p.position) and _app(p.spec.name) == _app(row.name)
        )

    def _stop(self, row: StepRow) -> None:
        """Drop what has not begun; what may have done something is fenced, and settled first."""
        if row.open and row.settled:
            self.finish(row, DROPPED)
        elif row.open:
            row = self.touch(row)
            row.epoch, row.tries, row.wake_at = row.epoch + 1, 0, row.lease_until or self.now

    def release(self) -> None:
        """Let every app's undo go whose own steps are settled; the first step's when all others have answered."""
        for undo in [r for r in self.rows.values() if r.direction == UNDO and r.open]:
            held = undo.wake_at is None and undo.lease_until is None
            if held and self._may_go(undo):
                self.touch(undo).wake_at = self.now
        self._park_what_is_stuck()

    def _may_go(self, undo: StepRow) -> bool:
        if undo.position == 0:
            awaited, answered = self.saga.context.get("awaits", ()), self.saga.context.get("answered", ())
            return set(awaited) <= set(answered) and not self._still_gives_back()
        mine = [r for r in self.rows.values() if r.direction == DO and _app(r.name) == _app(undo.name)]
        return not any(r.open or r.state == GAVE_UP for r in mine)

    def _still_gives_back(self) -> bool:
        """An answer may have been overtaken: what lingered was done after it, and has to be undone once more."""
        return any(
            r.open or r.state == GAVE_UP
            for r in self.rows.values()
            if r.direction == UNDO and r.position != 0
        )

    def _park_what_is_stuck(self) -> None:
        stuck = [r for r in self.rows.values() if r.state == GAVE_UP]
        if stuck and not any(self._runs(row) for row in self.rows.values()):
            self.park("; ".join(f"{r.name}: {r.code or r.verdict}" for r in stuck))

    def undo_after_all(self, row: StepRow) -> None:
        undo = self.undo_for(row.name)
        if row.direction == DO and undo is not None and not undo.open:
            self._undo_again(row)

    def _undo_again(self, row: StepRow) -> None:
        """A late answer tells that an app has, or may have, done something: its undo comes after all."""
        if self.saga.state == COMPENSATED:
            self.saga.state, self.saga.finished_at = COMPENSATING, None
        if self.saga.hold == PARKED:
            self.lift()
        undo = self.undo_for(row.name)
        if undo is not None:
            self.reopen(undo)
            undo.wake_at, undo.code = None, ""
        else:
            self._open_undo(self._given_back_at(row))
        self.release()

    # --- time ------------------------------------------------------------------------------------------------

    def change(self) -> Change:
        """Everything that was decided, with the picture of it and the time until which something has to be heard."""
        self._draw()
        quiet = self.saga.state in FINAL or self.saga.hold == PARKED
        if quiet:
            self.saga.deadline_at = None
        elif time_is_short(self.saga, self.now):
            self.saga.deadline_at = self.now + PATIENCE
        return super().change()

    def keep_promise(self, until: datetime | None) -> None:
        """Nobody turns it back for being late: who waits with a wake-up time is not silent."""

    def _lift_silence(self) -> None:
        if self.saga.hold == PARKED and self.saga.hold_reason.startswith(SILENT):
            self.lift()

    @staticmethod
    def _runs(row: StepRow) -> bool:
        return row.state == DUE and (row.wake_at is not None or row.lease_until is not None)


def _app(name: str) -> str:
    """The app that owns a step."""
    return name.partition(".")[0]


__all__ = ["NOTHING_TO_UNDO", "PATIENCE", "SILENCE", "SILENT", "Heard", "Part", "listen"]
