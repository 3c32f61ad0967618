"""What came to stand between captured and ended: customers who have to act, and captures that were taken back."""

from __future__ import annotations

from payments.commands.findings import Finding, record_findings
from payments.gateways.base import Intent, IntentStatus
from payments.reconciliation.rows import Case
from tests.payments.reconciliation.desk import Desk


def test_a_payment_that_waits_for_its_customer_is_no_difference(desk: Desk) -> None:
    desk.gateway.script("authorize", "A-1", "require_action")
    desk.till.authorize("A-1")

    run = desk.run()

    assert (run.result, Case.objects.count()) == ("clean", 0)


def test_f25_a_capture_that_both_sides_know_as_taken_back_is_no_difference(desk: Desk) -> None:
    desk.till.captured("A-1")
    intent = desk.payment("A-1").provider_id
    desk.gateway.alter(intent, status=IntentStatus.DECLINED, captured_minor=0)
    told = desk.gateway.retrieve(intent)
    assert isinstance(told, Intent)
    record_findings([Finding(saga_id=desk.payment("A-1").saga_id, intent=told)], now=desk.clock.now)

    run = desk.run()

    assert (run.result, Case.objects.count()) == ("clean", 0)


def test_f25_a_capture_that_was_taken_back_unheard_opens_a_case(desk: Desk) -> None:
    desk.till.captured("A-1")
    desk.gateway.alter(desk.payment("A-1").provider_id, status=IntentStatus.DECLINED, captured_minor=0)

    desk.run()

    case = Case.objects.get()
    assert (case.kind, case.at_stake_minor) == ("state_differs", 1000)


def test_f26_a_hold_that_was_taken_in_shares_is_no_difference(desk: Desk) -> None:
    desk.till.hold("A-1")
    desk.till.share("A-1/p1", 300)
    desk.till.hold("A-2")
    desk.till.share("A-2/p1", 300)
    desk.till.release("A-2/p1")

    run = desk.run()

    assert (run.result, Case.objects.count()) == ("clean", 0)


def test_a_share_that_we_do_not_know_of_opens_a_case_with_its_amount(desk: Desk) -> None:
    desk.till.hold("A-1")
    desk.till.share("A-1/p1", 300)
    intent = desk.payment("A-1").provider_id
    desk.gateway.alter(intent, captured_minor=500, capturable_minor=500)

    desk.run()

    case = Case.objects.get()
    assert (case.kind, case.at_stake_minor) == ("amount_differs", 200)


def test_a_share_that_is_just_being_taken_is_no_difference(desk: Desk) -> None:
    desk.till.hold("A-1")
    desk.till.ask(desk.till.asked(desk.till.share_call("A-1/p1", 300)))

    run = desk.run()

    assert (run.result, Case.objects.count()) == ("clean", 0)
