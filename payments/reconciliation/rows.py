"""Rows of reconciliation: runs, what they saw, the cases they opened, and the provider's settlement lines."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from sagas.ids import uuid7


class ReconciliationRun(models.Model):
    """One comparison with the provider's lists. `phase` and `cursor` tell where it goes on after a death.

    `since` and `until` bound what is compared; null means without bound. Objects active in between count: made
    before `until`, moved at or after `since`.
    """

    class Phase(models.TextChoices):
        INTENTS = "intents"  #: The provider's intents, newest first; `cursor` is the last one read.
        REFUNDS = "refunds"  #: The provider's refunds, likewise.
        PAYMENTS = "payments"  #: Our payments that were not in the list, by id.
        GIVEN_BACK = "given_back"  #: Our refunds that were not in the list, by id.
        CASES = "cases"  #: Open cases about objects that nothing before has met, by id.
        DONE = "done"  #: Compared to the end.

    class Result(models.TextChoices):
        RUNNING = "running"  #: Under way, or its process died: the next run with the same bounds goes on.
        CLEAN = "clean"  #: Through, and no difference is open.
        DIFFERENCES = "differences"  #: Through, and differences are open.
        STOPPED = "stopped"  #: The provider could not be asked; the next run goes on there.

    id = models.UUIDField(primary_key=True, default=uuid7)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    phase = models.CharField(max_length=10, choices=Phase, default=Phase.INTENTS)
    cursor = models.CharField(max_length=200, default="")
    result = models.CharField(max_length=11, choices=Result, default=Result.RUNNING)
    trouble = models.CharField(max_length=500, default="")  #: Why it stopped.
    compared = models.BigIntegerField(default=0)
    matched = models.BigIntegerField(default=0)
    in_flight = models.BigIntegerField(default=0)  #: They differ, and may: the answer is under way.
    idle = models.BigIntegerField(default=0)  #: Unknown to us, and without money: never confirmed, or let go.
    differences = models.BigIntegerField(default=0)
    totals = models.JSONField(default=dict)  #: By currency: held, captured, refunded, each [ours, theirs].
    started_at = models.DateTimeField()
    moved_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index("started_at", name="payments_run_started")]

    def __str__(self) -> str:
        return f"reconciliation of {self.scope}"

    @property
    def scope(self) -> str:
        """The bounds in words; whole days by the first and the last of them."""
        if self.since is None and self.until is None:
            return "everything"
        last = self.until - timedelta(days=1) if self.until and _is_midnight(self.until) else self.until
        first, last_words = _moment(self.since), _moment(last)
        return first if first == last_words else f"{first} to {last_words}"

    @property
    def took(self) -> timedelta:
        """How long it has run so far, pauses between processes included."""
        return (self.finished_at or self.moved_at) - self.started_at


class SeenObject(models.Model):
    """A provider's object that a run has met. Deleted when the run is through."""

    pk = models.CompositePrimaryKey("run", "object_id")
    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, db_index=False)
    object_id = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.object_id


class Case(models.Model):
    """One difference between us and the provider, until it is gone or a person has settled it.

    One per kind and object while open. What was resolved stays quiet as long as both sides say the same as then.
    """

    class Kind(models.TextChoices):
        UNKNOWN_TO_US = "unknown_to_us"  #: The provider has an object with money in it that we do not know.
        MISSING_AT_PROVIDER = "missing_at_provider"  #: We rely on an object the provider does not know.
        AMOUNT_DIFFERS = "amount_differs"
        CURRENCY_DIFFERS = "currency_differs"
        STATE_DIFFERS = "state_differs"  #: Captured there and authorized here, for one.
        HELD_THERE_BUT_ENDED_HERE = "held_there_but_ended_here"  #: A customer's money is held for nothing.
        DUPLICATE_HOLD = "duplicate_hold"  #: A second intent of one order holds money.
        DUPLICATE_CAPTURE = "duplicate_capture"  #: An order was paid twice.
        REFUND_DIFFERS = "refund_differs"  #: Paid back there and not here, or the other way round.
        DUPLICATE_REFUND = "duplicate_refund"  #: One refund of ours was paid back twice.
        SETTLEMENT_UNKNOWN_LINE = "settlement_unknown_line"  #: Settled, and we know of no such object.
        SETTLEMENT_MISSING_LINE = "settlement_missing_line"  #: Captured in days the file covers, not in it.
        SETTLEMENT_AMOUNT_DIFFERS = "settlement_amount_differs"
        SETTLEMENT_FEE_DIFFERS = "settlement_fee_differs"  #: Not what was agreed.
        SETTLEMENT_DOUBLED_LINE = "settlement_doubled_line"  #: The same movement was settled before.

    class State(models.TextChoices):
        OPEN = "open"  #: Somebody has to look.
        RESOLVED = "resolved"  #: A person has settled it and said how. Final.
        CLOSED = "closed"  #: A later run no longer saw the difference. Final.

    class How(models.TextChoices):
        CORRECTED_THERE = "corrected_there"  #: Put right at the provider.
        CORRECTED_HERE = "corrected_here"  #: Put right in our books.
        EXPLAINED = "explained"  #: It differs, and is right so.
        WRITTEN_OFF = "written_off"  #: It differs, and we bear it.

    class About(models.TextChoices):
        PAYMENT = "payment"
        REFUND = "refund"
        SETTLEMENT = "settlement"

    MOVES: ClassVar = {State.OPEN: {State.RESOLVED, State.CLOSED}, State.RESOLVED: set(), State.CLOSED: set()}

    id = models.UUIDField(primary_key=True, default=uuid7)
    kind = models.CharField(max_length=30, choices=Kind)
    about = models.CharField(max_length=10, choices=About)
    object_id = models.CharField(max_length=200)  #: The provider's name of it; ours where it has none.
    shop_id = models.UUIDField(null=True)
    order_id = models.UUIDField(null=True)
    payment_id = models.UUIDField(null=True)
    refund_id = models.UUIDField(null=True)
    saga_id = models.UUIDField(null=True)
    reference = models.CharField(max_length=200, default="")
    ours = models.JSONField(default=dict)
    theirs = models.JSONField(default=dict)
    at_stake_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    run = models.ForeignKey(ReconciliationRun, null=True, on_delete=models.PROTECT, db_index=False)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    how = models.CharField(max_length=15, choices=How, default="")
    resolved_by = models.CharField(max_length=100, default="")
    reason = models.CharField(max_length=500, default="")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "object_id"], condition=Q(state="open"), name="payments_case_open_once"
            ),
            models.CheckConstraint(
                condition=Q(state="open") ^ Q(ended_at__isnull=False),
                name="payments_case_ended_when_not_open",
            ),
            models.CheckConstraint(
                condition=~Q(state="resolved") | (~Q(how="") & ~Q(resolved_by="") & ~Q(reason="")),
                name="payments_case_resolved_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(at_stake_minor__gte=0), name="payments_case_stake_not_negative"
            ),
        ]
        indexes: ClassVar = [
            models.Index("object_id", name="payments_case_object"),
            models.Index("state", "kind", "id", name="payments_case_listed"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.object_id}"


class SettlementFile(models.Model):
    """A settlement report that was, or is being, taken in. Known by its content, so it is taken in once."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    lines = models.IntegerField()
    stored = models.IntegerField(default=0)  #: So many lines are in; the next import of the file goes on.
    first_day = models.DateField()
    last_day = models.DateField()
    imported_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class SettlementLine(models.Model):
    """One movement the provider has settled with us. Gross less fee is net, in minor units."""

    class Type(models.TextChoices):
        CAPTURE = "capture"
        REFUND = "refund"
        FEE = "fee"
        DISPUTE = "dispute"
        ADJUSTMENT = "adjustment"

    class Match(models.TextChoices):
        MATCHED = "matched"  #: It belongs to a payment or refund of ours, or to none by its type.
        UNKNOWN = "unknown"  #: No payment or refund of ours has that name.
        DOUBLED = "doubled"  #: The same movement was settled by an earlier line. Not booked.

    id = models.UUIDField(primary_key=True, default=uuid7)
    file = models.ForeignKey(SettlementFile, on_delete=models.PROTECT, related_name="entries", db_index=False)
    line = models.IntegerField()
    payout_id = models.CharField(max_length=100)
    object_id = models.CharField(max_length=100)
    type = models.CharField(max_length=10, choices=Type)
    gross_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    net_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    day = models.DateField()
    match = models.CharField(max_length=8, choices=Match)
    identity = models.CharField(max_length=300)  #: What two lines about one movement have in common.

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["file", "line"], name="payments_settlementline_once_per_file"),
            models.UniqueConstraint(
                fields=["identity"],
                condition=~Q(match="doubled"),
                name="payments_settlementline_settled_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index("object_id", name="payments_settlement_object"),
            models.Index("id", name="payments_settlement_unknown", condition=Q(match="unknown")),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.object_id}"


def _is_midnight(at: datetime) -> bool:
    return not (at.hour or at.minute or at.second)


def _moment(at: datetime | None) -> str:
    if at is None:
        return "…"
    return f"{at:%Y-%m-%d}" if _is_midnight(at) else f"{at:%Y-%m-%d %H:%M}"
