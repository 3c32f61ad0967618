"""F12: the bank wants the customer to act. The payment waits for them, with a link, until a deadline."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from payments import contract, queries
from payments.commands.acting import CustomerMustAct
from payments.gateways.base import Intent, IntentStatus
from payments.models import CustomerAction, Payment
from sagas.verdicts import Done, Refused, Unknown
from tests.payments.till import Till

State = Payment.State


@pytest.fixture
def waiting(till: Till) -> Till:
    """One payment whose customer has to act."""
    till.gateway.script("authorize", "A-1", "require_action")
    till.authorize("A-1")
    return till


def look(till: Till) -> object:
    """The step's next claim."""
    return till.authorize("A-1")


def intent_of(till: Till) -> str:
    return till.payment("A-1").provider_id


def at_the_gateway(till: Till) -> IntentStatus:
    found = till.gateway.retrieve(intent_of(till))
    assert isinstance(found, Intent)
    return found.status


def test_f12_a_payment_waits_for_its_customer_with_a_link_and_a_deadline(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "require_action")

    answer = till.authorize("A-1")

    assert isinstance(answer, CustomerMustAct)
    assert (answer.code, answer.until) == ("payments.requires_action", till.clock.now + timedelta(minutes=5))
    assert till.payment("A-1").state == State.REQUIRES_ACTION
    action = CustomerAction.objects.get()
    assert (action.url, action.until) == (
        f"https://bank.invalid/{intent_of(till)}", till.clock.now + timedelta(hours=1),
    )  # fmt: skip
    assert till.story("A-1") == ["PaymentActionRequired"]
    assert till.gateway.effects("A-1") == {}


def test_f12_once_the_customer_has_acted_the_money_is_held(waiting: Till) -> None:
    waiting.clock.forward(minutes=5)
    still = look(waiting)
    waiting.gateway.customer_acts(intent_of(waiting))

    answer = look(waiting)

    assert isinstance(still, CustomerMustAct)
    assert isinstance(answer, Done)
    assert waiting.payment("A-1").state == State.AUTHORIZED
    assert waiting.story("A-1") == ["PaymentActionRequired", "PaymentAuthorized"]
    assert waiting.gateway.effects("A-1") == {"holds": 1}


def test_f12_a_customer_who_fails_to_prove_it_is_a_decline(waiting: Till) -> None:
    waiting.gateway.customer_acts(intent_of(waiting), well=False)

    assert look(waiting) == Refused("payments.declined", "payment_intent_authentication_failure")
    assert waiting.payment("A-1").state == State.DECLINED
    assert waiting.gateway.effects("A-1") == {}


def test_f12_after_the_deadline_nobody_can_act_any_more(waiting: Till) -> None:
    waiting.clock.forward(minutes=61)

    assert look(waiting) == Refused("payments.action_expired")
    assert (waiting.payment("A-1").state, waiting.payment("A-1").code) == (
        State.VOIDED,
        "payments.action_expired",
    )
    assert at_the_gateway(waiting) == IntentStatus.VOIDED
    assert waiting.story("A-1") == ["PaymentActionRequired", "PaymentDeclined", "PaymentVoided"]
    waiting.gateway.customer_acts(intent_of(waiting))
    assert waiting.gateway.effects("A-1") == {}


def test_f12_a_customer_who_acts_in_the_last_moment_is_let_through(waiting: Till) -> None:
    waiting.clock.forward(minutes=61)
    waiting.gateway.customer_acts(intent_of(waiting))

    assert isinstance(look(waiting), Done)
    assert waiting.payment("A-1").state == State.AUTHORIZED


@pytest.mark.parametrize("trouble", ["do_then_drop", "do_then_5xx", "drop"])
def test_f12_f13_letting_go_after_the_deadline_may_be_unknown_too(waiting: Till, trouble: str) -> None:
    waiting.gateway.script("void", "A-1", trouble)
    waiting.clock.forward(minutes=61)
    first = look(waiting)

    second = look(waiting)

    assert isinstance(first, Unknown)
    assert isinstance(second, Refused)
    assert waiting.payment("A-1").state == State.VOIDED
    assert at_the_gateway(waiting) == IntentStatus.VOIDED


def test_the_deadline_is_the_first_one_however_often_it_is_looked_at(waiting: Till) -> None:
    first = CustomerAction.objects.get().until
    waiting.clock.forward(minutes=30)
    look(waiting)

    assert CustomerAction.objects.get().until == first


def test_giving_back_lets_go_of_a_payment_that_waits_for_its_customer(waiting: Till) -> None:
    assert isinstance(waiting.void("A-1"), Done)
    assert waiting.payment("A-1").state == State.VOIDED
    assert at_the_gateway(waiting) == IntentStatus.VOIDED


def test_while_it_is_let_go_the_payment_says_so(waiting: Till) -> None:
    waiting.begin([waiting.call(contract.VOID_AUTHORIZATION, "A-1", cause="intent")])

    assert waiting.payment("A-1").state == State.VOIDING


def test_an_unknown_confirmation_that_waits_for_the_customer_is_found(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "require_action")
    till.gateway.script("retrieve", "A-1", "approve")
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    ask = till.created(till.asked(call))
    till.ask(ask)  # its answer is lost
    till.record([(ask.call, Unknown("payments.no_answer"))])

    answer = till.settle(call)

    assert isinstance(answer, CustomerMustAct)
    assert till.payment("A-1").state == State.REQUIRES_ACTION


def test_the_shop_is_shown_where_its_customer_acts_only_while_they_have_to(waiting: Till) -> None:
    order, shop = waiting.id("A-1"), waiting.shop_id
    while_waiting = queries.payment_detail(order, shop)
    waiting.gateway.customer_acts(intent_of(waiting))
    look(waiting)
    after = queries.payment_detail(order, shop)

    assert while_waiting is not None
    assert while_waiting.action is not None
    assert while_waiting.action.url.startswith("https://bank.invalid/")
    assert after is not None
    assert (after.state, after.action, after.decline_class) == ("authorized", None, "")
    assert queries.payment_detail(order, uuid4()) is None
    assert queries.payment_detail(UUID(int=0), shop) is None


def test_the_link_is_in_no_event(waiting: Till) -> None:
    from sagas.models import StoredEvent

    assert [e for e in StoredEvent.objects.all() if "bank.invalid" in str(e.data) + str(e.metadata)] == []
