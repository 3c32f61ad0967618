"""Whatever order steps come in and whatever the provider does, the books say what the provider did."""

from __future__ import annotations

from itertools import count, pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments import contract
from payments.gateways.base import Intent, IntentStatus
from payments.models import Capture, Payment
from sagas.steps import NotDone, StepCall
from sagas.verdicts import Answer, Done, Refused
from tests.payments.till import Till, wrong_books

State = Payment.State
NAMES = count(1)

OPERATIONS = {
    contract.AUTHORIZE_PAYMENT: ("create", "authorize"),
    contract.CAPTURE_PAYMENT: ("capture",),
    contract.VOID_AUTHORIZATION: ("void", "refund"),
    contract.REFUND_PAYMENT: ("refund",),
}
IN_SHARES = {contract.CAPTURE_SHARE: "capture", contract.RELEASE_REST: "release"}
TROUBLES = ("", "drop", "do_then_drop", "do_then_5xx", "rate_limit", "decline")

acts = st.tuples(st.sampled_from(sorted(OPERATIONS)), st.sampled_from(TROUBLES), st.booleans())


def a_call(till: Till, step: str, name: str, note: int) -> StepCall:
    if step == contract.REFUND_PAYMENT:
        return till.refund_call(f"{name}/C-{note}", refund=700)
    return till.call(step, name, cause="intent" if step == contract.VOID_AUTHORIZATION else "")


def to_the_end(till: Till, call: StepCall) -> Answer:
    """Run a call as the engine would: settled while unknown, tried again while unavailable."""
    answer = till.run(call)
    for _ in range(6):
        if isinstance(answer, Done) or (isinstance(answer, Refused) and not isinstance(answer, NotDone)):
            break
        answer = till.settle(call) if answer.word == "unknown" else till.run(call)
    return answer


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.lists(acts, min_size=1, max_size=8))
def test_the_books_equal_the_provider_after_any_path(till: Till, path: list[tuple[str, str, bool]]) -> None:
    name = f"A-{next(NAMES)}"
    for note, (step, trouble, settles) in enumerate(path):
        call = a_call(till, step, name, note)
        if trouble:
            till.gateway.script(OPERATIONS[step][-1], call.reference, trouble, times=1)
        (to_the_end if settles else Till.run)(till, call)
        assert wrong_books() == []

    to_the_end(till, a_call(till, contract.VOID_AUTHORIZATION, name, 0))

    payment = till.payment(name)
    effects = till.gateway.effects(name)
    intents = till.gateway.find_by_reference(name)
    assert isinstance(intents, tuple)
    assert effects.get("captures", 0) <= effects.get("holds", 0) <= 1
    assert sum(intent.captured_minor for intent in intents) == payment.captured_minor
    assert not [intent for intent in intents if intent.status == IntentStatus.AUTHORIZED]
    assert payment.state in Payment.FINAL
    assert wrong_books() == []


shared = st.tuples(
    st.sampled_from(sorted(IN_SHARES)), st.integers(0, 3), st.sampled_from(TROUBLES), st.booleans()
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, 1000), min_size=3, max_size=3), single=st.booleans(),
    path=st.lists(shared, min_size=1, max_size=8),
)  # fmt: skip
def test_f26_shares_never_take_more_than_the_whole_and_the_end_holds_nothing(
    till: Till, cuts: list[int], single: bool, path: list[tuple[str, int, str, bool]]
) -> None:
    name = f"A-{next(NAMES)}"
    edges = [0, *sorted(cuts), 1000]
    shares = [upper - lower for lower, upper in pairwise(edges)]
    if single:
        till.gateway.script("authorize", name, "single_capture")
    till.hold(name)

    for step, place, trouble, settles in path:
        if trouble:
            till.gateway.script(IN_SHARES[step], name, trouble, times=1)
        reference = f"{name}/p{place}"
        call = till.share_call(reference, shares[place])
        if step == contract.RELEASE_REST:
            call = till.release_call(reference)
        (to_the_end if settles else Till.run)(till, call)
        assert wrong_books() == []
    for share in Capture.objects.filter(payment=till.payment(name), state__in=Capture.OPEN):
        [reference] = [f"{name}/p{n}" for n in range(4) if till.id(f"saga of {name}/p{n}") == share.saga_id]
        to_the_end(till, till.share_call(reference, share.amount_minor))
    to_the_end(till, till.release_call(f"{name}/p0"))

    payment = till.payment(name)
    taken = [one.amount_minor for one in Capture.objects.filter(payment=payment, state="succeeded")]
    intent = till.gateway.retrieve(payment.provider_id)
    assert isinstance(intent, Intent)
    assert payment.captured_minor == intent.captured_minor == sum(taken) <= 1000
    assert till.gateway.effects(name).get("captures", 0) == len(taken)
    assert not single or len(taken) <= 1
    assert (payment.state, intent.capturable_minor) == (State.CAPTURED if taken else State.VOIDED, 0)
    assert wrong_books() == []
