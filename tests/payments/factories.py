# mypy: disable-error-code="no-untyped-call"
"""Rows for tests that need them as they stand, without the story of how they came about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from factory.declarations import LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from payments.models import JournalEntry, Payment, Refund
from sagas.ids import uuid7

BEGAN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class PaymentFactory(DjangoModelFactory[Payment]):
    """An authorized payment of 10.00 GBP."""

    class Meta:
        model = Payment

    saga_id = LazyFunction(uuid7)
    order_id = LazyFunction(uuid7)
    shop_id = LazyFunction(uuid7)
    reference = Sequence("A-{}".format)
    currency = "GBP"
    amount_minor = 1000
    authorized_minor = 1000
    state = Payment.State.AUTHORIZED
    provider_id = Sequence("pi_{}".format)
    made_at = BEGAN
    moved_at = BEGAN


class RefundFactory(DjangoModelFactory[Refund]):
    """A refund of 4.00 GBP that is being asked for."""

    class Meta:
        model = Refund

    saga_id = LazyFunction(uuid7)
    payment = SubFactory(
        PaymentFactory, state=Payment.State.CAPTURED, captured_minor=1000, refunding_minor=400
    )
    order_id = SelfAttribute("payment.order_id")
    shop_id = SelfAttribute("payment.shop_id")
    reference = Sequence("A-{}/C-1".format)
    currency = "GBP"
    amount_minor = 400
    made_at = BEGAN
    moved_at = BEGAN


class JournalEntryFactory(DjangoModelFactory[JournalEntry]):
    """The head of an entry, without lines."""

    class Meta:
        model = JournalEntry

    kind = JournalEntry.Kind.CAPTURE
    source_id = LazyFunction(uuid7)
    shop_id = LazyFunction(uuid7)
    at = BEGAN


def a_payment(**more: Any) -> Payment:
    """One payment; what is not said is as in the factory."""
    payment: Payment = PaymentFactory.create(**more)
    return payment


def a_refund(**more: Any) -> Refund:
    """One refund of a captured payment."""
    refund: Refund = RefundFactory.create(**more)
    return refund


def an_entry(**more: Any) -> JournalEntry:
    """The head of one entry."""
    entry: JournalEntry = JournalEntryFactory.create(**more)
    return entry
