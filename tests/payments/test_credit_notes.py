"""A credit note that belongs to no order is owed to the customer; no provider hears of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orders.contract import CreditNoteImported
from payments.contract import CustomerCredited
from payments.models import JournalEntry, Refund
from payments.queries import trial_balance
from payments.receivers import on_credit_notes
from sagas.ids import uuid7
from sagas.log import Recorded, Token, read
from tests.conftest import Clock
from tests.payments.till import Till


def note(till: Till, **more: Any) -> Recorded:
    """A credit note as it comes from the log."""
    known: dict[str, Any] = {
        "credit_note_id": uuid7(), "shop_id": till.shop_id, "reference": "C-1", "order_id": None,
        "kind": "return", "currency": "GBP", "amount_minor": 250, "lines": (),
    }  # fmt: skip
    event = CreditNoteImported(**known | more)
    metadata = {"correlation_id": "import 1"}
    now: datetime = till.clock.now
    return Recorded(Token(1, 1, 1), event.credit_note_id, 1, event.type, event, metadata, now)


def test_an_unmatched_note_is_owed_and_told_once_however_often_it_is_delivered(
    till: Till, clock: Clock
) -> None:
    one = note(till)

    on_credit_notes(events=[one, one], now=clock.now)
    on_credit_notes(events=[one], now=clock.now)

    entry = JournalEntry.objects.get()
    [told] = read(entry.id)
    assert isinstance(told.event, CustomerCredited)
    assert (entry.source_id, told.event.source_id) == (one.stream, one.stream)
    assert (told.event.amount_minor, told.metadata["correlation_id"]) == (250, "import 1")
    assert trial_balance() == {("customer_credit", "GBP"): -250, ("refunds", "GBP"): 250}


def test_a_matched_note_is_left_to_the_saga_that_refunds_it(till: Till, clock: Clock) -> None:
    on_credit_notes(events=[note(till, order_id=uuid7())], now=clock.now)

    assert JournalEntry.objects.count() == 0
    assert Refund.objects.count() == 0


def test_many_notes_cost_two_statements(till: Till, clock: Clock, django_assert_num_queries: Any) -> None:
    notes = [note(till) for _ in range(200)]

    with django_assert_num_queries(2):
        on_credit_notes(events=notes, now=clock.now)

    assert JournalEntry.objects.count() == 200
