"""Rows of payments: what was asked of the provider, what it did, and the ledger of it in double entry."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from payments.dispute_rows import Dispute, DisputeFee, RefundCut
from payments.moving import Moving
from payments.reconciliation import rows as reconciliation  # noqa: F401 - rows of this app
from payments.renewal_rows import Renewal
from payments.share_rows import Capture
from sagas.ids import uuid7

__all__ = [
    "Account", "Capture", "CustomerAction", "Dispute", "DisputeFee", "JournalEntry", "JournalLine", "Moving", "Patrol",
    "Payment", "Refund", "RefundCut", "Renewal", "Watch",
]  # fmt: skip


class Payment(Moving):
    """One attempt to be paid for an order. One per saga: a void that came first leaves a tombstone.

    What a call is about to do is written before it is made; what it did, when it is known. `unknown` is left
    only by asking the provider. docs/state_machines.md draws the moves.
    """

    class State(models.TextChoices):
        CREATED = "created"  #: Ours alone, or an unconfirmed object at the provider.
        AUTHORIZING = (
            "authorizing"  #: The provider's object is known and stored; its confirmation is under way.
        )
        REQUIRES_ACTION = (
            "requires_action"  #: The bank wants the customer to act first (3-D Secure), until a deadline.
        )
        AUTHORIZED = "authorized"  #: The bank holds the money; none has moved.
        CAPTURING = "capturing"  #: Taken by a capture, so that no void can start.
        PARTLY_CAPTURED = "partly_captured"  #: Shares of it are ours; the bank holds the rest.
        RELEASING = "releasing"  #: The rest is being let go, so that no more can be captured.
        CAPTURED = "captured"  #: The money is ours, nothing is held. Final; refunds stand beside it.
        DECLINED = "declined"  #: The issuer said no. Final.
        VOIDING = "voiding"  #: Taken by a void, so that no capture can start.
        VOIDED = "voided"  #: Nothing is held, and nothing may be. Final, unless a late success shows up.
        EXPIRED = "expired"  #: The provider let the hold go by itself. Final.
        CAPTURE_FAILED = "capture_failed"  #: The provider refused to capture; the hold is still there.
        UNKNOWN = "unknown"  #: The provider may have done `unknown_of`. Left only by asking it.

    class Operation(models.TextChoices):
        NONE = ""
        CREATE = "create"
        AUTHORIZE = "authorize"
        CAPTURE = "capture"
        VOID = "void"

    class Flag(models.TextChoices):
        NONE = ""
        REVERSED = "reversed"  #: The provider took captured money back.
        DISPUTED = "disputed"  #: The customer's bank wants it back; the dispute is open.
        DISPUTE_LOST = "dispute_lost"  #: The bank has decided against us.

    #: A late success reopens a tombstone (voided, declined): the truth is kept, so that it can be undone.
    MOVES: ClassVar = {
        State.CREATED: {
            State.AUTHORIZING, State.AUTHORIZED, State.DECLINED, State.VOIDING, State.VOIDED,
            State.UNKNOWN, State.REQUIRES_ACTION,
        },
        State.AUTHORIZING: {
            State.AUTHORIZED, State.DECLINED, State.VOIDING, State.VOIDED, State.UNKNOWN, State.REQUIRES_ACTION,
        },
        State.REQUIRES_ACTION: {State.AUTHORIZED, State.DECLINED, State.VOIDING, State.VOIDED, State.UNKNOWN},
        State.AUTHORIZED: {
            State.CAPTURING, State.CAPTURED, State.VOIDING, State.VOIDED, State.EXPIRED, State.PARTLY_CAPTURED,
        },
        State.PARTLY_CAPTURED: {State.RELEASING, State.CAPTURED},
        State.RELEASING: {State.CAPTURED},
        State.CAPTURING: {
            State.CAPTURED, State.CAPTURE_FAILED, State.AUTHORIZED, State.EXPIRED, State.UNKNOWN,
            State.PARTLY_CAPTURED,
        },
        State.CAPTURE_FAILED: {State.CAPTURED, State.VOIDING, State.EXPIRED},
        State.VOIDING: {State.VOIDED, State.CAPTURED, State.EXPIRED, State.UNKNOWN},
        State.UNKNOWN: {
            State.CREATED, State.AUTHORIZING, State.AUTHORIZED, State.CAPTURED, State.CAPTURE_FAILED,
            State.DECLINED, State.VOIDING, State.VOIDED, State.EXPIRED, State.REQUIRES_ACTION,
        },
        State.VOIDED: {State.AUTHORIZED},
        State.DECLINED: {State.AUTHORIZED},
        State.CAPTURED: set(),
        State.EXPIRED: set(),
    }  # fmt: skip
    FINAL: ClassVar = (State.CAPTURED, State.DECLINED, State.VOIDED, State.EXPIRED)

    id = models.UUIDField(primary_key=True, default=uuid7)
    saga_id = models.UUIDField()
    order_id = models.UUIDField()
    shop_id = models.UUIDField()
    reference = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=15, choices=State, default=State.CREATED)
    unknown_of = models.CharField(max_length=9, choices=Operation, default=Operation.NONE)
    mismatch = models.CharField(max_length=200, default="")  #: What the provider said that cannot be.
    provider_id = models.CharField(max_length=100, default="")
    authorized_minor = models.BigIntegerField(default=0)
    captured_minor = models.BigIntegerField(default=0)
    refunding_minor = models.BigIntegerField(default=0)  #: Promised back and not gone yet.
    refunded_minor = models.BigIntegerField(default=0)
    repaid_minor = models.BigIntegerField(default=0, db_default=0)  #: Paid back another way than it came.
    code = models.CharField(max_length=100, default="")  #: Why it was declined, or could not be captured.
    released_at = models.DateTimeField(null=True)  #: When the provider confirmed that it holds nothing.
    version = models.IntegerField(default=0)  #: Of the event stream.
    made_at = models.DateTimeField()
    reversed_minor = models.BigIntegerField(default=0, db_default=0)  #: Of what was captured, taken back.
    flag = models.CharField(max_length=12, choices=Flag, default=Flag.NONE, db_default=Flag.NONE)
    expires_at = models.DateTimeField(null=True)  #: Until when the bank holds it, once the provider has said.
    disputed_minor = models.BigIntegerField(default=0, db_default=0)  #: Taken while banks decide about it.
    charged_back_minor = models.BigIntegerField(default=0, db_default=0)  #: Taken by banks for good.

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["saga_id"], name="payments_payment_once_per_saga"),
            models.UniqueConstraint(
                fields=["provider_id"],
                condition=~Q(provider_id=""),
                name="payments_payment_provider_object_once",
            ),
            models.CheckConstraint(
                condition=Q(
                    amount_minor__gte=0,
                    authorized_minor__gte=0,
                    captured_minor__gte=0,
                    refunding_minor__gte=0,
                    refunded_minor__gte=0,
                ),
                name="payments_payment_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(authorized_minor__lte=F("amount_minor")),
                name="payments_payment_authorized_at_most_asked",
            ),
            models.CheckConstraint(
                condition=Q(captured_minor__lte=F("authorized_minor")),
                name="payments_payment_captured_at_most_authorized",
            ),
            models.CheckConstraint(
                condition=Q(captured_minor__gte=F("refunded_minor") + F("refunding_minor")),
                name="payments_payment_refunds_at_most_captured",
            ),
            models.CheckConstraint(
                condition=Q(state="unknown") ^ Q(unknown_of=""),
                name="payments_payment_unknown_names_operation",
            ),
            models.CheckConstraint(
                condition=Q(captured_minor=0) | Q(state__in=["captured", "partly_captured", "releasing"]),
                name="payments_payment_captured_stays_captured",
            ),
            models.CheckConstraint(
                condition=Q(reversed_minor__gte=0, reversed_minor__lte=F("captured_minor")),
                name="payments_payment_reversed_at_most_captured",
            ),
            models.CheckConstraint(
                condition=Q(
                    repaid_minor__gte=0,
                    captured_minor__gte=F("refunded_minor") + F("refunding_minor") + F("repaid_minor"),
                ),
                name="payments_payment_repaid_at_most_captured",
            ),
            models.CheckConstraint(
                condition=Q(
                    disputed_minor__gte=0,
                    charged_back_minor__gte=0,
                    captured_minor__gte=F("disputed_minor") + F("charged_back_minor") + F("reversed_minor"),
                ),
                name="payments_payment_banks_take_at_most_captured",
            ),
        ]
        indexes: ClassVar = [models.Index("order_id", name="payments_payment_order")]

    def __str__(self) -> str:
        return f"payment of {self.reference}"


class CustomerAction(models.Model):
    """Where the customer of a payment acts, and until when. The address may hold a secret: it is in no event or log."""

    payment = models.OneToOneField(Payment, primary_key=True, on_delete=models.PROTECT, related_name="action")
    url = models.TextField()
    until = models.DateTimeField()
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"action for {self.payment_id}"


class Refund(Moving):
    """Money on its way back for one saga: `amount_minor` through the provider, `credit_minor` as credit.

    Until it has gone, `amount_minor` is part of the payment's `refunding_minor`, so it is promised only once.
    `failures` counts what was proven not to have happened; each makes a new idempotency key. What the provider
    cannot pay may be paid back another way: `repaid_at` says when that was recorded, by whom, and its reference.
    """

    class State(models.TextChoices):
        SUBMITTING = "submitting"  #: Promised in the ledger; the provider is being asked.
        UNKNOWN = "unknown"  #: The provider may have paid it back. Left only by asking it.
        SUCCEEDED = "succeeded"  #: Gone back, if anything had to. Final, unless it comes back to us later.
        FAILED = "failed"  #: The provider could not. Still owed: tried again only because a person said so.
        REPAID = "repaid"  #: Paid back another way, by a person, after the provider could not. Final.
        REFUSED = "refused"  #: Not paid: a bank, or the provider, had taken that money already. Final.

    MOVES: ClassVar = {
        State.SUBMITTING: {State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.REFUSED},
        State.UNKNOWN: {State.SUBMITTING, State.SUCCEEDED, State.FAILED},
        State.FAILED: {State.SUBMITTING, State.SUCCEEDED, State.REPAID, State.REFUSED},
        State.SUCCEEDED: {State.FAILED},
        State.REPAID: set(),
        State.REFUSED: set(),
    }
    #: Nothing is asked of the provider any more, unless a person says so.
    ENDED: ClassVar = (State.SUCCEEDED, State.FAILED, State.REPAID, State.REFUSED)
    #: The customer has the money.
    PAID: ClassVar = (State.SUCCEEDED, State.REPAID)

    id = models.UUIDField(primary_key=True, default=uuid7)
    saga_id = models.UUIDField()
    payment = models.ForeignKey(Payment, null=True, on_delete=models.PROTECT, related_name="refunds")
    order_id = models.UUIDField()
    shop_id = models.UUIDField()
    reference = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    credit_minor = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.SUBMITTING)
    failures = models.SmallIntegerField(default=0)
    code = models.CharField(max_length=100, default="")
    mismatch = models.CharField(max_length=200, default="")
    provider_id = models.CharField(max_length=100, default="")
    returned_at = models.DateTimeField(null=True)  #: When it came back to us after it had gone back.
    repaid_at = models.DateTimeField(null=True)
    repaid_by = models.CharField(max_length=100, default="", db_default="")
    repaid_reference = models.CharField(max_length=140, default="", db_default="")
    made_at = models.DateTimeField()

    class Meta:
        permissions: ClassVar = [("repay_refund", "Can record a refund as paid back another way")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["saga_id"], name="payments_refund_once_per_saga"),
            models.UniqueConstraint(
                fields=["provider_id"],
                condition=~Q(provider_id=""),
                name="payments_refund_provider_object_once",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, credit_minor__gte=0),
                name="payments_refund_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor=0) | Q(payment__isnull=False),
                name="payments_refund_amount_has_a_payment",
            ),
            models.CheckConstraint(
                condition=Q(state="repaid", repaid_at__isnull=False, amount_minor__gt=0)
                & ~Q(repaid_by="")
                & ~Q(repaid_reference="")
                | ~Q(state="repaid") & Q(repaid_at__isnull=True, repaid_by="", repaid_reference=""),
                name="payments_refund_repaid_says_by_whom_and_how",
            ),
        ]
        indexes: ClassVar = [
            # The few that the provider could not pay: what is owed, for whoever finds another way. It costs the
            # moves of a refund nothing: where one ends, the provider's id is written into an index as well.
            models.Index("id", name="payments_refund_failed", condition=Q(state="failed")),
        ]

    def __str__(self) -> str:
        return f"refund of {self.reference}"


class Watch(models.Model):
    """A payment or refund that stayed unfinished for long: the provider is asked about it in growing intervals.

    A table beside the payments, since an index on their state would cost every one of their moves.
    """

    class Kind(models.TextChoices):
        PAYMENT = "payment"
        REFUND = "refund"

    id = models.UUIDField(primary_key=True)  #: Of the payment or the refund.
    kind = models.CharField(max_length=7, choices=Kind)
    looks = models.IntegerField(default=0)
    look_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index("look_at", name="payments_watch_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Patrol(models.Model):
    """How far the rows of a kind have been looked through. Ids sort by time."""

    class Kind(models.TextChoices):
        PAYMENT = "payment"  #: Payments, for what stayed unfinished.
        REFUND = "refund"  #: Refunds, likewise.
        HOLD = "hold"  #: What is watched, round and round, for holds that will run out.

    kind = models.CharField(primary_key=True, max_length=7, choices=Kind)
    seen = models.UUIDField()

    def __str__(self) -> str:
        return f"{self.kind} up to {self.seen}"


class Account(models.TextChoices):
    """The chart of accounts. docs/ledger.md explains each and shows every entry."""

    HOLDS = "holds"  #: Memo: what banks hold for us.
    HOLDS_CONTRA = "holds_contra"  #: Memo: the other side of holds.
    PROVIDER_CLEARING = "provider_clearing"  #: Asset: captured by the provider and not refunded.
    SALES = "sales"  #: Revenue.
    REFUNDS = "refunds"  #: Against revenue: what was given back or is owed back.
    REFUNDS_PAYABLE = "refunds_payable"  #: Liability: promised back through the provider, not gone yet.
    CUSTOMER_CREDIT = "customer_credit"  #: Liability: owed to customers in another way.
    RECEIVABLE = "receivable"  #: Asset: sold, but taken back by the provider; customers owe it.
    PROVIDER_SETTLED = "provider_settled"  #: Against provider_clearing: what of it was settled with us.
    PROVIDER_FEES = "provider_fees"  #: Expense: what the provider keeps.
    PROVIDER_FEES_DUE = "provider_fees_due"  #: Liability: fees it has told of, and not settled yet.
    DISPUTED = "disputed"  #: Asset: taken back by the provider while a customer's bank decides.
    DISPUTE_LOSSES = "dispute_losses"  #: Expense: what banks have decided against us.
    BANK = (
        "bank"  #: Asset: paid out to us, by the provider's settlement report; less what was repaid from it.
    )


class JournalEntry(models.Model):
    """One fact about money. Never changed, never deleted; once per kind and source, so booking may repeat."""

    class Kind(models.TextChoices):
        AUTHORIZATION = "authorization"
        RELEASE = "release"
        CAPTURE = "capture"
        REFUND_PROMISED = "refund_promised"
        REFUND_PAID = "refund_paid"
        CREDIT = "credit"
        REFUND_RETURNED = "refund_returned"
        REFUND_REPAID = "refund_repaid"
        CAPTURE_REVERSED = "capture_reversed"
        SETTLEMENT = "settlement"
        DISPUTE_OPENED = "dispute_opened"
        DISPUTE_WON = "dispute_won"
        DISPUTE_LOST = "dispute_lost"
        DISPUTE_FEE = "dispute_fee"
        REFUND_REFUSED = "refund_refused"

    id = models.UUIDField(primary_key=True, default=uuid7)
    kind = models.CharField(max_length=20, choices=Kind)
    source_id = models.UUIDField()  #: The payment, refund, dispute, .. it is about.
    shop_id = models.UUIDField(null=True)  #: None for what the provider settles with no shop: its own fees.
    order_id = models.UUIDField(null=True)
    payment_id = models.UUIDField(null=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "journal entries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source_id", "kind"], name="payments_journalentry_once_per_source"
            ),
        ]
        indexes: ClassVar = [models.Index("payment_id", name="payments_journalentry_payment")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.source_id}"


class JournalLine(models.Model):
    """One side of an entry: a debit above zero, a credit below. Lines that do not balance are refused."""

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="lines")
    account = models.CharField(max_length=20, choices=Account)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="payments_journalline_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(account__in=Account.values), name="payments_journalline_known_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount_minor} {self.currency}"
