"""The books balance because the database says so, and nothing in them is ever changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from payments.commands.ledger import Entry, Kind, book, capture, credit
from payments.models import JournalEntry, JournalLine
from payments.queries import trial_balance
from sagas.ids import uuid7
from sagas.sql import execute
from tests.conftest import Clock
from tests.payments.factories import an_entry

pytestmark = pytest.mark.django_db

INSERT = "INSERT INTO payments_journalline (entry_id, account, currency, amount_minor) VALUES "


def wanted(**more: Any) -> Entry:
    known: dict[str, Any] = {
        "kind": Kind.CREDIT, "source_id": uuid7(), "shop_id": uuid7(), "order_id": None, "payment_id": None,
        "currency": "GBP", "lines": credit(100),
    }  # fmt: skip
    return Entry(**known | more)


def refused(sql: str, params: list[object]) -> str:
    """What the database says when it refuses."""
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        execute(sql, params)
    return str(caught.value)


def test_lines_that_do_not_sum_to_zero_are_refused() -> None:
    entry = an_entry()

    said = refused(INSERT + "(%s, 'sales', 'GBP', -100), (%s, 'refunds', 'GBP', 99)", [entry.pk, entry.pk])

    assert f"journal entry {entry.pk} is off balance by -1 GBP" in said
    assert JournalLine.objects.count() == 0


def test_currencies_balance_each_by_itself() -> None:
    entry = an_entry()

    said = refused(INSERT + "(%s, 'sales', 'GBP', -100), (%s, 'refunds', 'EUR', 100)", [entry.pk, entry.pk])

    assert "is off balance by" in said


def test_two_entries_cannot_balance_each_other() -> None:
    one, other = an_entry(), an_entry()

    said = refused(INSERT + "(%s, 'sales', 'GBP', -100), (%s, 'refunds', 'GBP', 100)", [one.pk, other.pk])

    assert "is off balance by" in said


def test_a_line_cannot_be_slipped_into_a_booked_entry(clock: Clock) -> None:
    [entry] = book([wanted()], at=clock.now)

    said = refused(INSERT + "(%s, 'sales', 'GBP', -1)", [entry])

    assert "is off balance by -1 GBP" in said


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE payments_journalline SET amount_minor = 1",
        "DELETE FROM payments_journalline",
        "UPDATE payments_journalentry SET kind = 'capture'",
        "DELETE FROM payments_journalentry",
    ],
)
def test_the_journal_can_only_grow(sql: str, clock: Clock) -> None:
    book([wanted()], at=clock.now)

    said = refused(sql, [])

    assert "append-only" in said
    assert (JournalEntry.objects.count(), JournalLine.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("line", "constraint"),
    [
        ("('sales', 0)", "payments_journalline_amount_not_zero"),
        ("('petty_cash', 5)", "payments_journalline_known_account"),
    ],
)
def test_a_line_of_nothing_or_of_an_unknown_account_is_refused(line: str, constraint: str) -> None:
    entry = an_entry()

    said = refused(
        "INSERT INTO payments_journalline (entry_id, account, currency, amount_minor) "
        f"SELECT %s, a, 'GBP', n FROM (VALUES {line}) AS v (a, n)",
        [entry.pk],
    )

    assert constraint in said


def test_an_entry_is_booked_once_per_kind_and_source(clock: Clock) -> None:
    entry = wanted()

    first = book([entry], at=clock.now)
    again = book(
        [replace(entry, id=uuid7()), wanted(source_id=entry.source_id, kind=Kind.CAPTURE)], at=clock.now
    )

    assert first == {entry.id}
    assert len(again) == 1
    assert trial_balance()["customer_credit", "GBP"] == -200


def test_an_entry_that_moves_nothing_is_not_booked(clock: Clock) -> None:
    assert book([wanted(lines=capture(0, 0))], at=clock.now) == set()
    assert JournalEntry.objects.count() == 0


def test_a_batch_is_booked_in_one_statement(clock: Clock, django_assert_num_queries: Any) -> None:
    entries = [wanted() for _ in range(500)]

    with django_assert_num_queries(1):
        booked = book(entries, at=clock.now)

    assert len(booked) == 500
    assert sum(trial_balance().values()) == 0
