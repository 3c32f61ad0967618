"""Rows of the platform: the log, the checkpoints of its readers, sagas, their steps and what people asked of them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from sagas.forced import ForcedCircuit  # noqa: F401 - a row of this app
from sagas.ids import uuid7
from sagas.inbox.rows import IncomingWebhook  # noqa: F401 - a row of this app
from sagas.personal import Erasure, Person  # noqa: F401 - rows of this app
from sagas.rebuild.rows import ProjectionBuild, ProjectionSlot, SkippedEvent  # noqa: F401 - rows of this app
from sagas.web import kept  # noqa: F401 - a row of this app


class Era(models.Model):
    """One row per life of the database server. Transaction ids of an earlier life count as settled."""

    era = models.IntegerField(primary_key=True)
    since = models.DateTimeField(db_default=Now())
    reason = models.CharField(max_length=200, default="")

    def __str__(self) -> str:
        return f"era {self.era}"


class StoredEvent(models.Model):
    """One committed fact. Append-only; the order of the feed is (era, xid, position), never a clock."""

    pk = models.CompositePrimaryKey("stream", "version")
    stream = models.UUIDField()
    version = models.IntegerField()
    era = models.IntegerField()
    xid = models.BigIntegerField()
    position = models.BigIntegerField()
    type = models.CharField(max_length=100)
    schema_version = models.SmallIntegerField()
    data = models.JSONField()
    metadata = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        db_table = "sagas_event"
        verbose_name = "event"
        indexes: ClassVar = [
            models.Index("era", "xid", "position", name="sagas_event_feed"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(version__gte=1), name="sagas_event_version_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.type} v{self.version} of {self.stream}"


class Checkpoint(models.Model):
    """How far one subscription has come. Effect and checkpoint move in one transaction."""

    class State(models.TextChoices):
        RUNNING = "running"  #: Delivers as events settle.
        STOPPED = "stopped"  #: A projection met an event it cannot digest; a person decides.

    pk = models.CompositePrimaryKey("subscription", "shard")
    subscription = models.CharField(max_length=100)
    shard = models.SmallIntegerField(default=0)
    era = models.IntegerField(default=0)
    xid = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    error = models.TextField(default="")
    moved_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.subscription}/{self.shard}"


class ParkedEvent(models.Model):
    """An event a reaction could not digest, and the later events of the same stream that wait behind it."""

    id = models.BigAutoField(primary_key=True)
    subscription = models.CharField(max_length=100)
    stream = models.UUIDField()
    version = models.IntegerField()
    error = models.TextField()  #: Empty for an event that only waits behind the broken one.
    parked_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=100, default="")
    settled_how = models.CharField(max_length=200, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["subscription", "stream", "version"], name="sagas_parked_event_once_per_subscription"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                "subscription", "stream", name="sagas_parked_open", condition=Q(settled_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.stream} v{self.version}"


class Saga(models.Model):
    """One run of a definition. `state` and `hold` never mix: where it stands, and why it stands still."""

    class State(models.TextChoices):
        PENDING = "pending"  #: Started; no step has run.
        RUNNING = "running"  #: Going forward.
        COMPENSATING = "compensating"  #: Giving back what was done, newest first.
        COMPLETED = "completed"  #: Every step is done. Final.
        COMPENSATED = "compensated"  #: Everything was given back. Final, unless a late success shows up.

    class Hold(models.TextChoices):
        NONE = "none"  #: Nothing stands in its way.
        WAITING = "waiting"  #: For somebody outside; a wake-up time is set.
        PARKED = "parked"  #: For a person; the reason says why.
        PAUSED = "paused"  #: By a person.

    class Cause(models.TextChoices):
        NONE = ""
        REFUSED = "refused"  #: A step said no.
        DEADLINE = "deadline"  #: The way to the pivot took too long.
        INTENT = "intent"  #: Somebody asked for it.

    class Style(models.TextChoices):
        ORCHESTRATION = "orchestration"  #: The engine leads: it opens one step after the other.
        CHOREOGRAPHY = "choreography"  #: Nobody leads: each app goes by the events of the others.

    #: Where nothing has to be given back, a refusal ends a saga at once. A person who has settled the rest by
    #: hand may end an open saga either way.
    MOVES: ClassVar = {
        State.PENDING: {State.RUNNING, State.COMPENSATING, State.COMPLETED, State.COMPENSATED},
        State.RUNNING: {State.COMPENSATING, State.COMPLETED, State.COMPENSATED},
        State.COMPENSATING: {State.COMPLETED, State.COMPENSATED},
        State.COMPENSATED: {State.COMPENSATING},
        State.COMPLETED: set(),
    }
    FINAL: ClassVar = (State.COMPLETED, State.COMPENSATED)
    HOLD_MOVES: ClassVar = {
        Hold.NONE: {Hold.WAITING, Hold.PARKED, Hold.PAUSED},
        Hold.WAITING: {Hold.NONE, Hold.PARKED, Hold.PAUSED},
        Hold.PARKED: {Hold.NONE, Hold.PAUSED},
        Hold.PAUSED: {Hold.NONE},
    }

    id = models.UUIDField(primary_key=True, default=uuid7)
    definition = models.CharField(max_length=100)
    version = models.SmallIntegerField()
    shop_id = models.UUIDField()
    subject_id = models.UUIDField()
    reference = models.CharField(max_length=200)
    search_key = models.CharField(max_length=200, default="")
    label = models.CharField(max_length=200, default="")
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="")
    context = models.JSONField(default=dict)
    correlation_id = models.CharField(max_length=100, default="")
    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    hold = models.CharField(max_length=8, choices=Hold, default=Hold.NONE)
    hold_reason = models.CharField(max_length=200, default="")
    hold_owner = models.CharField(max_length=100, default="")
    hold_since = models.DateTimeField(null=True)
    stage = models.SmallIntegerField(default=0)
    epoch = models.IntegerField(default=0)
    cause = models.CharField(max_length=8, choices=Cause, default=Cause.NONE)
    cause_code = models.CharField(max_length=100, default="")
    cause_step = models.CharField(max_length=100, default="")
    deadline_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField()
    moved_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    style = models.CharField(
        max_length=13, choices=Style, default=Style.ORCHESTRATION, db_default=Style.ORCHESTRATION
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["shop_id", "definition", "reference"], name="sagas_saga_once_per_reference"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("completed", "compensated")) ^ Q(finished_at__isnull=True),
                name="sagas_saga_finished_exactly_when_final",
            ),
            models.CheckConstraint(
                condition=Q(hold="none") | Q(hold_since__isnull=False), name="sagas_saga_hold_has_a_since"
            ),
        ]
        indexes: ClassVar = [
            models.Index(F("id"), name="sagas_saga_open", condition=Q(finished_at__isnull=True)),
            models.Index(
                "deadline_at",
                name="sagas_saga_deadline",
                condition=Q(finished_at__isnull=True, deadline_at__isnull=False),
            ),
            models.Index("subject_id", name="sagas_saga_subject"),
            models.Index("search_key", name="sagas_saga_search_key"),
            models.Index("hold", "id", name="sagas_saga_held", condition=~Q(hold="none")),
            models.Index("cause_code", "id", name="sagas_saga_cause", condition=~Q(cause_code="")),
        ]

    def __str__(self) -> str:
        return f"{self.definition} {self.reference}"


class SagaStep(models.Model):
    """One step of one saga in one direction: the unit that is claimed."""

    class Direction(models.TextChoices):
        DO = "do"
        UNDO = "undo"

    class State(models.TextChoices):
        DUE = "due"  #: Unfinished: due at `wake_at`, or leased, or held back (no `wake_at`) behind another.
        DONE = "done"  #: Its effect exists (or, for an undo, is gone).
        REFUSED = "refused"  #: It said no, for good.
        SKIPPED = "skipped"  #: A person gave its result.
        GAVE_UP = "gave_up"  #: It will not be tried again by itself; the saga is parked.
        DROPPED = "dropped"  #: It never ran and never will: the saga turned back before.

    #: A late success makes a step done whatever was thought of it, and its finished undo due again. A late answer
    #: that leaves it open whether it did anything makes the step itself due again, to be settled.
    MOVES: ClassVar = {
        State.DUE: {State.DONE, State.REFUSED, State.SKIPPED, State.GAVE_UP, State.DROPPED},
        State.DONE: {State.DUE},
        State.REFUSED: {State.DUE, State.DONE},
        State.SKIPPED: {State.DUE, State.DONE},
        State.GAVE_UP: {State.DUE, State.DONE, State.SKIPPED},
        State.DROPPED: {State.DUE, State.DONE},
    }

    id = models.UUIDField(primary_key=True, default=uuid7)
    saga = models.ForeignKey(Saga, on_delete=models.CASCADE, related_name="steps", db_index=False)
    position = models.SmallIntegerField()
    direction = models.CharField(max_length=4, choices=Direction)
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=8, choices=State, default=State.DUE)
    epoch = models.IntegerField(default=0)
    attempt = models.IntegerField(default=0)
    tries = models.IntegerField(default=0)
    intent_number = models.SmallIntegerField(default=1)
    key = models.UUIDField()
    verdict = models.CharField(max_length=12, default="")
    code = models.CharField(max_length=100, default="")
    detail = models.CharField(max_length=500, default="")
    memo = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    history = models.JSONField(default=list)
    wake_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=100, default="")
    began_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sagas_step"
        verbose_name = "step"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["saga", "position", "direction"], name="sagas_step_once_per_saga_and_direction"
            ),
            models.CheckConstraint(
                condition=Q(state="due") ^ Q(finished_at__isnull=False),
                name="sagas_step_finished_exactly_when_not_due",
            ),
        ]
        indexes: ClassVar = [
            # The name leads: a claim touches only rows of its own step, however many wait elsewhere.
            models.Index("name", "wake_at", name="sagas_step_due", condition=Q(finished_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.saga_id}"


class Intent(models.Model):
    """What somebody asked of a saga. An insert, so that it never waits behind a batch."""

    class Kind(models.TextChoices):
        CANCEL = "cancel"  #: Give it back if it can be; after the pivot the definition's late cancel decides.
        TURN_BACK = "turn_back"  #: Give it back now; refused after the pivot.
        RETRY = "retry"  #: Try what is due now, with fresh tries.
        RESUME = "resume"  #: Lift a pause or a park and go on.
        PAUSE = "pause"  #: Stand still until resumed.
        SKIP = "skip"  #: Take the stated result for a step and go on.
        RESOLVE = "resolve"  #: A person has settled the rest by hand; the note says how.

    class State(models.TextChoices):
        NEW = "new"  #: Not looked at yet; no step of this saga is claimed before it is.
        DEFERRED = "deferred"  #: Waits until the pivot's outcome is known.
        APPLIED = "applied"  #: Done as asked.
        REFUSED = "refused"  #: Could not be done; `answer` says why.

    #: What was deferred is looked at again when the pivot's outcome is known or the saga has ended.
    MOVES: ClassVar = {
        State.NEW: {State.APPLIED, State.DEFERRED, State.REFUSED},
        State.DEFERRED: {State.NEW},
        State.APPLIED: set(),
        State.REFUSED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid7)
    saga = models.ForeignKey(Saga, on_delete=models.CASCADE, related_name="intents")
    kind = models.CharField(max_length=10, choices=Kind)
    actor = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State, default=State.NEW)
    answer = models.CharField(max_length=200, default="")
    made_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index("saga", name="sagas_intent_open", condition=Q(state__in=("new", "deferred"))),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.saga_id} by {self.actor}"


class Pause(models.Model):
    """A step or a provider that a person has stopped for everybody."""

    class Scope(models.TextChoices):
        STEP = "step"
        PROVIDER = "provider"

    pk = models.CompositePrimaryKey("scope", "name")
    scope = models.CharField(max_length=8, choices=Scope)
    name = models.CharField(max_length=100)
    actor = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.scope} {self.name}"


class Turn(models.Model):
    """One worker's stretch of work at one step. Committed before it begins, so that a death leaves a trace."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    name = models.CharField(max_length=100)
    cap = models.IntegerField()
    suspect = models.UUIDField(
        null=True
    )  #: The one step that runs alone, when the batch is one after deaths.
    worker = models.CharField(max_length=100)
    backend_pid = models.IntegerField()
    backend_start = models.DateTimeField()
    began_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index("name", "began_at", name="sagas_turn_name")]

    def __str__(self) -> str:
        return f"{self.name} by {self.worker}"


class Death(models.Model):
    """How small the next batch at a step must be, because turns there died; cleared by turns that live."""

    name = models.CharField(primary_key=True, max_length=100)
    cap = models.IntegerField()
    died_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at most {self.cap}"


class Suspect(models.Model):
    """A row that was running alone when its worker died, and how often."""

    row_id = models.UUIDField(primary_key=True)
    deaths = models.SmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.row_id}: {self.deaths}"
