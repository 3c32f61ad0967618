"""F35, F66: every kind of difference is found, opens one case, and no second one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from payments import contract
from payments.gateways.base import IntentStatus, RefundStatus
from payments.models import Payment, Refund
from payments.reconciliation.rows import Case
from sagas.ids import operation_key, uuid7
from sagas.sql import execute
from tests.payments.reconciliation.desk import Desk

Tamper = Callable[[Desk], None]


def captured(desk: Desk) -> str:
    """The provider's name of the captured payment of A-1."""
    return desk.payment("A-1").provider_id


def refunded(desk: Desk) -> str:
    return Refund.objects.get().provider_id


def second_intent(status: IntentStatus, captured_minor: int) -> Tamper:
    """Another intent for A-1 under the next key: two were made for one order."""

    def tamper(desk: Desk) -> None:
        desk.a_saga("A-1")
        key = operation_key(desk.till.shop_id, "A-1", contract.AUTHORIZE_PAYMENT, 2)
        held = 1000 - captured_minor
        desk.gateway.plant(
            reference="A-1", key=str(key), status=status, captured_minor=captured_minor, capturable_minor=held
        )

    return tamper


def alter(of: Callable[[Desk], str], **changes: object) -> Tamper:
    return lambda desk: desk.gateway.alter(of(desk), **changes)


def a_failed_refund_that_was_paid(desk: Desk) -> None:
    Refund.objects.update(state="failed", provider_id="")
    Payment.objects.filter(captured_minor__gt=0).update(refunding_minor=400, refunded_minor=0)


#: What is done to the books, what it is called, about which object, and what is at stake.
DIFFERENCES: dict[str, tuple[Tamper, str, int]] = {
    "a capture nobody here knows": (lambda d: void(d.gateway.plant(reference="X-9")), "unknown_to_us", 1000),
    "a refund nobody here knows": (
        lambda d: void(d.gateway.plant_refund(intent_id=captured(d), reference="X-9")), "unknown_to_us", 400,
    ),
    "a lost capture": (lambda d: d.gateway.forget(captured(d)), "missing_at_provider", 600),
    "a lost refund": (lambda d: d.gateway.forget(refunded(d)), "missing_at_provider", 400),
    "another amount": (alter(captured, amount_minor=1200), "amount_differs", 200),
    "less captured": (alter(captured, captured_minor=900), "amount_differs", 100),
    "less held": (
        lambda d: d.gateway.alter(d.payment("HELD").provider_id, capturable_minor=300), "amount_differs", 700,
    ),
    "another currency": (alter(captured, currency="EUR"), "currency_differs", 1000),
    "captured here, held there": (
        alter(captured, status=IntentStatus.AUTHORIZED, captured_minor=0, capturable_minor=1000),
        "state_differs", 1000,
    ),
    "held here, captured there": (
        lambda d: d.gateway.alter(
            d.payment("HELD").provider_id, status=IntentStatus.CAPTURED, captured_minor=1000, capturable_minor=0
        ),
        "state_differs", 1000,
    ),
    "ended here, held there": (
        lambda d: d.gateway.alter(
            d.payment("GONE").provider_id, status=IntentStatus.AUTHORIZED, capturable_minor=1000
        ),
        "held_there_but_ended_here", 1000,
    ),
    "a second capture of one order": (second_intent(IntentStatus.CAPTURED, 1000), "duplicate_capture", 1000),
    "a second hold of one order": (second_intent(IntentStatus.AUTHORIZED, 0), "duplicate_hold", 1000),
    "a refund that failed after all": (
        alter(refunded, status=RefundStatus.FAILED), "refund_differs", 400,
    ),
    "a refund paid there and failed here": (a_failed_refund_that_was_paid, "refund_differs", 400),
    "a refund paid twice": (
        lambda d: void(d.gateway.plant_refund(intent_id=captured(d), reference="A-1/C-1")),
        "duplicate_refund", 400,
    ),
    "another refunded amount": (alter(refunded, amount_minor=500), "amount_differs", 100),
}  # fmt: skip


def void(_: object) -> None:
    """For lambdas that are wanted for what they do."""


@pytest.fixture
def books(desk: Desk) -> Desk:
    """One payment captured and partly given back, one held, one let go, and the fee of a free order."""
    desk.till.captured("A-1")
    desk.till.refund("A-1/C-1", refund=400)
    desk.till.authorize("HELD")
    desk.till.authorize("GONE")
    desk.till.void("GONE")
    desk.till.captured("FREE", amount=0)
    return desk


def test_books_that_agree_open_no_case(books: Desk) -> None:
    run = books.run()

    assert (run.result, run.compared, run.matched, run.differences) == ("clean", 4, 4, 0)
    assert run.totals == {"GBP": {"held": [1000, 1000], "captured": [1000, 1000], "refunded": [400, 400]}}
    assert Case.objects.count() == 0


@pytest.mark.parametrize("name", DIFFERENCES)
def test_f35_every_difference_is_found_and_opens_one_case(books: Desk, name: str) -> None:
    tamper, kind, stake = DIFFERENCES[name]
    tamper(books)

    first = books.run()
    opened = Case.objects.get()
    again = books.run()

    assert (first.result, first.differences) == ("differences", 1)
    assert (again.result, again.differences) == ("differences", 1)
    assert (opened.kind, opened.at_stake_minor) == (kind, stake)
    still = Case.objects.get()
    assert (still.pk, still.state, still.first_seen) == (opened.pk, "open", opened.first_seen)
    assert still.last_seen > opened.last_seen
    restore(books)


def restore(desk: Desk) -> None:
    """Give the rows back what a tampering took, so that the till's own check of the books holds."""
    if Refund.objects.filter(state="failed").exists():
        Refund.objects.update(state="succeeded")
        Payment.objects.filter(refunding_minor=400).update(refunding_minor=0, refunded_minor=400)


def test_a_difference_that_is_gone_closes_its_case_by_itself(books: Desk) -> None:
    ident = captured(books)
    books.gateway.alter(ident, amount_minor=1200)
    books.run()

    books.gateway.alter(ident, amount_minor=1000)
    run = books.run()

    case = Case.objects.get()
    assert (run.result, case.state, case.resolved_by) == ("clean", "closed", "")
    assert case.ended_at is not None


def test_one_difference_does_not_close_the_case_of_another_kind_of_the_same_object(books: Desk) -> None:
    ident = captured(books)
    books.gateway.alter(ident, amount_minor=1200)
    books.run()

    books.gateway.alter(ident, amount_minor=1000, currency="EUR")
    books.run()

    assert list(Case.objects.order_by("id").values_list("kind", "state")) == [
        ("amount_differs", "closed"),
        ("currency_differs", "open"),
    ]


def test_a_stray_that_the_provider_no_longer_has_closes_its_case(books: Desk) -> None:
    ident = books.gateway.plant(reference="X-9").id
    books.run()

    books.gateway.forget(ident)
    run = books.run()

    assert (run.result, Case.objects.get().state) == ("clean", "closed")


def test_what_a_person_resolved_stays_quiet_until_it_changes(books: Desk) -> None:
    ident = captured(books)
    books.gateway.alter(ident, amount_minor=1200)
    books.run()
    Case.objects.update(
        state="resolved", how="explained", resolved_by="olga", reason="a test", ended_at=books.clock.now
    )

    same = books.run()
    books.gateway.alter(ident, amount_minor=1300)
    changed = books.run()

    assert (same.result, same.differences, changed.result) == ("clean", 1, "differences")
    assert list(Case.objects.order_by("id").values_list("state", "at_stake_minor")) == [
        ("resolved", 200),
        ("open", 300),
    ]


def test_two_payments_of_ours_that_were_both_captured_are_a_double_capture(desk: Desk) -> None:
    desk.till.captured("A-1")
    first = desk.payment("A-1")
    desk.till.captured("B-1")
    execute("UPDATE payments_payment SET order_id = %s WHERE reference = 'B-1'", [first.order_id])

    desk.run()

    case = Case.objects.get()
    assert (case.kind, case.object_id, case.at_stake_minor) == (
        "duplicate_capture", desk.payment("B-1").provider_id, 1000,
    )  # fmt: skip


@pytest.mark.parametrize("step", [contract.CAPTURE_PAYMENT, ""])
def test_an_order_with_an_open_step_is_in_flight_however_late(desk: Desk, step: str) -> None:
    desk.till.authorize("A-1")
    desk.a_saga("A-1", step_open=step)
    ident = desk.payment("A-1").provider_id
    desk.gateway.alter(ident, status=IntentStatus.CAPTURED, captured_minor=1000, capturable_minor=0)

    desk.clock.forward(hours=30)
    run = desk.run()

    assert (run.in_flight, desk.kinds()) == ((1, []) if step else (0, ["state_differs"]))


def test_what_moved_a_moment_ago_is_in_flight(desk: Desk) -> None:
    desk.till.authorize("A-1")
    ident = desk.payment("A-1").provider_id
    desk.gateway.alter(ident, status=IntentStatus.CAPTURED, captured_minor=1000, capturable_minor=0)

    leading = desk.reconciler()
    while not leading.finished:
        leading.step()

    assert (leading.run.result, leading.run.in_flight) == ("clean", 1)


def test_a_payment_marked_as_a_mismatch_is_not_excused_by_its_open_step(desk: Desk) -> None:
    desk.till.authorize("A-1")
    desk.a_saga("A-1", step_open=contract.CAPTURE_PAYMENT)
    Payment.objects.update(mismatch="told of something else")
    ident = desk.payment("A-1").provider_id
    desk.gateway.alter(ident, status=IntentStatus.VOIDED, capturable_minor=0)

    desk.run()

    assert desk.kinds() == ["state_differs"]


def test_a_case_whose_object_is_on_the_move_is_neither_closed_nor_doubled(desk: Desk) -> None:
    desk.till.authorize("A-1")
    ident = desk.payment("A-1").provider_id
    desk.gateway.alter(ident, status=IntentStatus.CAPTURED, captured_minor=1000, capturable_minor=0)
    desk.run()
    desk.a_saga("A-1", step_open=contract.CAPTURE_PAYMENT)

    run = desk.run()

    assert (run.differences, desk.kinds()) == (0, ["state_differs"])


def test_what_ended_without_money_may_be_forgotten_by_the_provider(desk: Desk) -> None:
    desk.till.authorize("GONE")
    desk.till.void("GONE")
    desk.till.authorize("HELD")
    for name in ("GONE", "HELD"):
        desk.gateway.forget(desk.payment(name).provider_id)

    run = desk.run()

    assert (run.idle, desk.kinds()) == (1, ["missing_at_provider"])
    assert Case.objects.get().reference == "HELD"


def test_an_unfinished_payment_that_the_provider_forgot_is_missing(desk: Desk) -> None:
    desk.till.authorize("A-1")
    payment = desk.payment("A-1")
    Payment.objects.update(state="authorizing", authorized_minor=0)
    desk.gateway.forget(payment.provider_id)

    desk.run()

    assert (desk.kinds(), Case.objects.get().at_stake_minor) == (["missing_at_provider"], 1000)
    Payment.objects.update(state="authorized", authorized_minor=1000)


def test_what_is_missing_and_just_made_is_in_flight(desk: Desk) -> None:
    desk.till.captured("A-1")
    desk.till.refund("A-1/C-1", refund=400)
    desk.gateway.forget(captured(desk))
    desk.gateway.forget(refunded(desk))
    leading = desk.reconciler()
    while not leading.finished:
        leading.step()

    assert (leading.run.in_flight, desk.kinds()) == (2, [])
    assert desk.run().result == "differences"
    assert desk.kinds() == ["missing_at_provider"] * 2


def test_a_wrong_amount_is_no_matter_of_time(desk: Desk) -> None:
    desk.till.authorize("A-1")
    desk.a_saga("A-1", step_open=contract.CAPTURE_PAYMENT)
    desk.gateway.alter(desk.payment("A-1").provider_id, amount_minor=1)

    desk.run()

    assert desk.kinds() == ["amount_differs"]


def test_f66_an_intent_whose_id_we_lost_is_found_by_reference_and_key(desk: Desk) -> None:
    desk.till.authorize("A-1")
    saga = desk.a_saga("A-1")
    payment = desk.payment("A-1")
    Payment.objects.update(state="created", provider_id="", authorized_minor=0)

    desk.run()

    case = Case.objects.get()
    assert (case.kind, case.object_id) == ("unknown_to_us", payment.provider_id)
    assert (case.saga_id, case.payment_id, case.order_id, case.shop_id) == (
        saga, payment.pk, payment.order_id, payment.shop_id,
    )  # fmt: skip
    Payment.objects.update(state="authorized", provider_id=payment.provider_id, authorized_minor=1000)
    assert desk.run().result == "clean"


def test_f66_the_reference_of_another_shop_is_not_taken_for_ours(desk: Desk) -> None:
    desk.till.captured("A-1")
    desk.a_saga("A-1")
    theirs = operation_key(uuid7(), "A-1", contract.AUTHORIZE_PAYMENT)
    desk.gateway.plant(reference="A-1", key=str(theirs))

    desk.run()

    case = Case.objects.get()
    assert (case.kind, case.shop_id, case.saga_id) == ("unknown_to_us", None, None)


def test_an_intent_that_holds_nothing_is_no_difference(desk: Desk) -> None:
    desk.gateway.plant(status=IntentStatus.UNCONFIRMED, captured_minor=0)
    desk.gateway.plant(status=IntentStatus.VOIDED, captured_minor=0)

    run = desk.run()

    assert (run.result, run.idle, run.compared) == ("clean", 2, 2)


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_currencies_are_compared_in_their_own_minor_units(desk: Desk, currency: str) -> None:
    desk.till.captured("A-1", amount=1234, currency=currency)
    desk.gateway.alter(desk.payment("A-1").provider_id, captured_minor=1233)

    run = desk.run()

    assert run.totals == {currency: {"held": [0, 0], "captured": [1234, 1233], "refunded": [0, 0]}}
    assert list(Case.objects.values_list("at_stake_minor", "currency")) == [(1, currency)]
