"""Whatever we do, whatever the bank does, and however it is told: in the end our rows stand where the bank stands."""

from __future__ import annotations

from itertools import count

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from payments import contract
from payments.gateways.base import Intent, IntentStatus, RefundStatus
from payments.models import Payment
from sagas.inbox.rows import IncomingWebhook
from tests.payments.letters import Postman, about_intent
from tests.payments.test_properties import OPERATIONS, a_call
from tests.payments.till import Till, wrong_books

State = Payment.State
NAMES = count(1)

STEPS = [
    contract.AUTHORIZE_PAYMENT,
    contract.CAPTURE_PAYMENT,
    contract.VOID_AUTHORIZATION,
    contract.REFUND_PAYMENT,
]
Act = tuple[str, int, str]

acts = st.one_of(
    st.tuples(st.just("step"), st.integers(0, 3), st.sampled_from(["", "drop", "do_then_drop", "decline"])),
    st.tuples(st.just("bank"), st.just(0), st.sampled_from(["expire", "reverse", "authorize", "return"])),
    st.tuples(st.just("tell"), st.integers(0, 9), st.sampled_from(["", "amount", "status", "currency"])),
    st.tuples(st.just("read"), st.just(0), st.just("")),
)
LIES = {"amount": 7, "status": "pondering", "currency": "usd"}
#: Where our row may stand when the provider stands there and nothing of it makes no sense.
AGREE = {
    IntentStatus.UNCONFIRMED: {State.CREATED, State.AUTHORIZING, State.UNKNOWN},
    IntentStatus.AUTHORIZED: {
        State.AUTHORIZED,
        State.CAPTURING,
        State.CAPTURE_FAILED,
        State.VOIDING,
        State.UNKNOWN,
    },
    IntentStatus.CAPTURED: {State.CAPTURED},
    IntentStatus.VOIDED: {State.VOIDED, State.EXPIRED, State.DECLINED},
    IntentStatus.DECLINED: {State.DECLINED, State.VOIDED, State.EXPIRED},
}


class Play:
    """One payment, its bank, and what was ever told of it."""

    def __init__(self, till: Till, postman: Postman) -> None:
        self.till, self.postman = till, postman
        self.name = f"P-{next(NAMES)}"
        self.told: list[Intent] = []

    @property
    def intent(self) -> Intent | None:
        found = self.till.gateway.find_by_reference(self.name)
        assert isinstance(found, tuple)
        return found[-1] if found else None

    def act(self, act: Act) -> None:
        kind, number, how = act
        match kind:
            case "step":
                self.step(STEPS[number], how)
            case "bank":
                self.bank(how)
            case "tell" if self.told:
                said = about_intent(self.told[number % len(self.told)])
                self.postman.tell(said | ({how: LIES[how]} if how else {}))
            case "read":
                self.postman.read()
        if (now := self.intent) is not None and (not self.told or self.told[-1] != now):
            self.told.append(now)

    def step(self, step: str, trouble: str) -> None:
        call = a_call(self.till, step, self.name, 0)
        if trouble:
            self.till.gateway.script(OPERATIONS[step][-1], call.reference, trouble, times=1)
        self.till.run(call)

    def bank(self, what: str) -> None:
        gateway, intent = self.till.gateway, self.intent
        match what, intent.status if intent else None:
            case "expire", IntentStatus.AUTHORIZED:
                gateway.happen(intent.id, status=IntentStatus.VOIDED, capturable_minor=0)  # type: ignore[union-attr]
            case "reverse", IntentStatus.CAPTURED:
                gateway.happen(intent.id, status=IntentStatus.DECLINED, captured_minor=0)  # type: ignore[union-attr]
            case "authorize", IntentStatus.DECLINED if not self.was_held():
                gateway.happen(intent.id, status=IntentStatus.AUTHORIZED, capturable_minor=1000)  # type: ignore[union-attr]
            case "return", _:
                for refund in gateway.refunds_of(intent.id) if intent else ():  # type: ignore[union-attr]
                    gateway.happen(refund.id, status=RefundStatus.FAILED, failure_code="closed")

    def was_held(self) -> bool:
        return any(i.status in (IntentStatus.AUTHORIZED, IntentStatus.CAPTURED) for i in self.told)

    def tell_the_truth(self) -> None:
        """The last word about the intent and every refund of it, read."""
        if self.intent is not None:
            self.postman.tell_of(self.intent.id, description="the end")
            for refund in self.till.gateway.refunds_of(self.intent.id):  # type: ignore[union-attr]
                self.postman.tell_of_refund(refund.id, description="the end")
        self.postman.read()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(
    path=[("step", 0, "decline"), ("bank", 0, "authorize"), ("tell", 1, ""), ("read", 0, ""), ("step", 2, "")]
)
@example(
    path=[("step", 0, ""), ("step", 1, ""), ("step", 3, ""), ("bank", 0, "return"), ("bank", 0, "reverse")]
)
@given(path=st.lists(acts, min_size=1, max_size=10))
def test_in_the_end_our_rows_stand_where_the_provider_stands(
    till: Till, postman: Postman, path: list[Act]
) -> None:
    play = Play(till, postman)

    for act in path:
        play.act(act)
        assert wrong_books() == []
    play.tell_the_truth()

    assert wrong_books() == []
    assert not IncomingWebhook.objects.filter(code="bug").exists()
    if (
        play.intent is None
        or not Payment.objects.filter(reference=play.name, provider_id=play.intent.id).exists()
    ):
        return
    payment = till.payment(play.name)
    reversed_ = payment.state == State.CAPTURED and payment.reversed_minor == payment.captured_minor
    agrees = payment.state in AGREE[play.intent.status] or (
        reversed_ and play.intent.status == IntentStatus.DECLINED
    )
    assert agrees or payment.mismatch, (payment.state, play.intent)
    assert (
        payment.captured_minor - payment.reversed_minor in (play.intent.captured_minor, 0) or payment.mismatch
    )
