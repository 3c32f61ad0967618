"""A batch of five hundred costs as many statements as a batch of two."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments import contract
from payments.models import JournalEntry, Payment, Refund
from payments.queries import payment_of_orders, payment_totals, refund_totals, trial_balance
from sagas.steps import Ask, Continue, StepCall
from sagas.verdicts import Done, Refused
from tests.payments.till import Till

MANY = 500

#: Statements of begin and of each record, savepoints not counted, however many calls there are.
EXPECTED = {
    contract.AUTHORIZE_PAYMENT: [1, 2, 4],  # insert | lock, update | lock, update, ledger, events
    contract.CAPTURE_PAYMENT: [2, 4],  # lock, move | lock, update, ledger, events
    contract.REFUND_PAYMENT: [
        5,
        6,
    ],  # lock, load, insert, update, ledger | lock, load, 2 updates, ledger, events
    contract.VOID_AUTHORIZATION: [4, 5],  # insert, lock, move, load | lock, load, update, ledger, events
}


def statements(till: Till, calls: list[StepCall]) -> list[int]:
    """How many statements begin and each record took on the way of a batch to its answers."""
    counts = []

    def counted(do: Callable[[], Any]) -> Any:
        with CaptureQueriesContext(connection) as seen:
            result = do()
        counts.append(sum("SAVEPOINT" not in q["sql"] for q in seen.captured_queries))
        return result

    flying = [b for b in counted(partial(till.begin, calls)) if isinstance(b, Ask)]
    while flying:
        answers = [(ask.call, till.ask(ask)) for ask in flying]
        recorded = counted(partial(till.record, answers))
        flying = [till.again(a, r) for a, r in zip(flying, recorded, strict=True) if isinstance(r, Continue)]
    return counts


@pytest.mark.parametrize("size", [2, MANY])
def test_the_number_of_statements_does_not_grow_with_the_batch(till: Till, size: int) -> None:
    names = [f"A-{n}" for n in range(size)]
    taken = {
        step: statements(till, [till.call(step, name) for name in names])
        for step in (contract.AUTHORIZE_PAYMENT, contract.CAPTURE_PAYMENT)
    }
    taken[contract.REFUND_PAYMENT] = statements(
        till, [till.refund_call(f"{n}/C-1", refund=10) for n in names]
    )
    held = [f"B-{n}" for n in range(size)]
    statements(till, [till.call(contract.AUTHORIZE_PAYMENT, name) for name in held])
    taken[contract.VOID_AUTHORIZATION] = statements(
        till, [till.call(contract.VOID_AUTHORIZATION, name) for name in held]
    )

    assert taken == EXPECTED
    assert Payment.objects.filter(state="captured", refunded_minor=10).count() == size
    assert Payment.objects.filter(state="voided").count() == size
    assert Refund.objects.filter(state="succeeded").count() == size
    assert JournalEntry.objects.count() == 6 * size


def test_a_mixed_batch_gives_every_call_its_own_answer_in_order(till: Till) -> None:
    till.gateway.script("authorize", "A-2", "decline", code="lost_card")
    till.void("A-3")

    answers = till.run_all([till.call(contract.AUTHORIZE_PAYMENT, f"A-{n}") for n in (1, 2, 3, 4)])

    assert answers == [
        Done({"payment_id": str(till.payment("A-1").id)}),
        Refused("payments.declined", "lost_card"),
        Refused("payments.voided"),
        Done({"payment_id": str(till.payment("A-4").id)}),
    ]


def test_totals_and_the_newest_payment_of_each_order_are_read_in_one_statement(
    till: Till, django_assert_num_queries: Any
) -> None:
    for name in ("A-1", "A-2"):
        till.captured(name)
    till.refund("A-1/C-1", refund=400)
    till.authorize("A-3")

    with django_assert_num_queries(3):
        found = payment_of_orders([till.id("A-1"), till.id("A-3"), till.id("A-9")])
        payments = [(t.state, t.currency, t.count, t.amount_minor) for t in payment_totals()]
        refunds = [(t.state, t.count, t.amount_minor) for t in refund_totals()]

    assert {order: (p.state, p.refunded_minor) for order, p in found.items()} == {
        till.id("A-1"): ("captured", 400),
        till.id("A-3"): ("authorized", 0),
    }
    assert payments == [("authorized", "GBP", 1, 1000), ("captured", "GBP", 2, 2000)]
    assert refunds == [("succeeded", 1, 400)]
    assert sum(trial_balance().values()) == 0
