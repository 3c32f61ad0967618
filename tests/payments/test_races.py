"""Two at once, on real transactions: the row decides, and there is one effect at the provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from payments import contract
from payments.gateways.fake import FakeGateway
from payments.models import Payment, Refund
from sagas.steps import Ask
from sagas.verdicts import Answer, Done, Refused, Unavailable
from tests.conftest import Clock
from tests.payments.till import Till, wrong_books

State = Payment.State
ROUNDS = range(3)


@pytest.fixture
def till(transactional_db: None, gateway: FakeGateway, clock: Clock) -> Iterator[Till]:
    """A till with real transactions."""
    yield Till(gateway, clock)
    assert wrong_books() == []


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run every act in a thread of its own; all start together."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        try:
            barrier.wait(timeout=10)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return [future.result(timeout=30) for future in [threads.submit(run, act) for act in acts]]


@pytest.mark.parametrize("intents", [(1, 1), (1, 2)], ids=["same key", "another key"])
@pytest.mark.parametrize("_", ROUNDS)
def test_f28_two_captures_at_once_take_the_money_once(till: Till, intents: tuple[int, int], _: int) -> None:
    till.authorize("A-1")
    calls = [till.call(contract.CAPTURE_PAYMENT, "A-1", intent=intent) for intent in intents]

    answers = at_once(*(lambda call=call: till.run(call) for call in calls))

    assert answers == [Done({"captured_minor": 1000})] * 2
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentCaptured"]


@pytest.mark.parametrize("_", ROUNDS)
def test_f28_of_two_shares_that_begin_at_once_one_waits_for_the_other(till: Till, _: int) -> None:
    till.hold("A-1")
    calls = [till.share_call("A-1/p1", 600), till.share_call("A-1/p2", 600)]

    begun = at_once(*(lambda call=call: till.begin([call])[0] for call in calls))

    [ask] = [one for one in begun if isinstance(one, Ask)]
    assert [one for one in begun if one is not ask] == [Unavailable("payments.capture_in_flight")]
    till.record([(ask.call, till.ask(ask))])
    [other] = [call for call in calls if call is not ask.call]
    assert till.run(other) == Refused("payments.amount_too_large")
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


@pytest.mark.parametrize("_", ROUNDS)
def test_f30_of_a_capture_and_a_void_that_begin_at_once_exactly_one_gets_the_payment(
    till: Till, _: int
) -> None:
    till.authorize("A-1")
    capture = till.call(contract.CAPTURE_PAYMENT, "A-1")
    void = till.call(contract.VOID_AUTHORIZATION, "A-1", cause="intent")

    [[capturing], [voiding]] = at_once(lambda: till.begin([capture]), lambda: till.begin([void]))

    if isinstance(capturing, Ask):
        assert voiding == Unavailable("payments.capture_in_flight")
        assert till.payment("A-1").state == State.CAPTURING
    else:
        assert capturing == Refused("payments.voided")
        assert till.payment("A-1").state == State.VOIDING


@pytest.mark.parametrize("_", ROUNDS)
def test_f30_a_capture_and_a_void_at_once_leave_the_money_taken_and_given_back_or_never_taken(
    till: Till, _: int
) -> None:
    till.authorize("A-1")

    at_once(lambda: till.capture("A-1"), lambda: till.void("A-1"))
    undone = till.void("A-1")

    effects = till.gateway.effects("A-1")
    assert undone == Done()
    assert effects in ({"holds": 1, "voids": 1}, {"holds": 1, "captures": 1, "refunds": 1})


@pytest.mark.parametrize("_", ROUNDS)
def test_f33_two_full_refunds_at_once_give_back_no_more_than_came_in(till: Till, _: int) -> None:
    till.captured("A-1")

    answers: list[Answer] = at_once(
        lambda: till.refund("A-1/C-1", refund=1000), lambda: till.refund("A-1/C-2", refund=1000)
    )

    given = sorted(
        (a.result["refunded_minor"], a.result["credited_minor"]) for a in answers if isinstance(a, Done)
    )
    assert given == [(0, 1000), (1000, 0)]
    assert till.gateway.effects("A-1")["refunds"] == 1
    assert till.payment("A-1").refunded_minor == 1000


@pytest.mark.parametrize("_", ROUNDS)
def test_a_step_taken_over_while_its_first_worker_is_still_at_it_makes_one_payment(
    till: Till, _: int
) -> None:
    answers = at_once(lambda: till.authorize("A-1"), lambda: till.authorize("A-1"))

    assert answers == [Done({"payment_id": str(till.payment("A-1").id)})] * 2
    assert till.gateway.effects("A-1") == {"holds": 1}
    assert till.story("A-1") == ["PaymentAuthorized"]


def test_f38_batches_in_opposite_order_do_not_deadlock(till: Till) -> None:
    names = [f"A-{n}" for n in range(60)]
    till.run_all([till.call(contract.AUTHORIZE_PAYMENT, name) for name in names])
    forward = [till.call(contract.CAPTURE_PAYMENT, name) for name in names]
    backward = [till.call(contract.VOID_AUTHORIZATION, name, cause="intent") for name in reversed(names)]
    refunds = [till.refund_call(f"{name}/C-1", refund=100) for name in reversed(names)]

    at_once(*(lambda calls=calls: till.begin(calls) for calls in (forward, backward, refunds)))

    states = set(Payment.objects.values_list("state", flat=True))
    assert states in ({State.CAPTURING}, {State.VOIDING})
    assert Refund.objects.filter(amount_minor__gt=0).count() == 0
