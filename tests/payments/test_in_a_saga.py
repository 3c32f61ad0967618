"""Payments under the real engine and the real sandbox: what both say in the end is the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import pytest

from payments import contract, gateways
from payments.gateways.sandbox import SandboxGateway
from payments.models import Payment
from sagas.clock import database_now, travel
from sagas.definition import SagaDefinition, compensatable, pivot, retriable, unregister
from sagas.engine import StartSaga, start_sagas
from sagas.ids import uuid7
from sagas.models import Saga
from sagas.steps import StepCall, compensation, local_step
from sagas.verdicts import Answer, Done, Refused
from tests.payments.till import wrong_books
from tests.sagas import toys
from tests.sandbox_process import SandboxProcess, running_sandbox

PAY, GIVE_BACK = "payments.toy_pay", "payments.toy_give_back"


@local_step("payments.toy_check", undo="payments.toy_uncheck")
def check(calls: Sequence[StepCall]) -> list[Answer]:
    """A neighbour between authorizing and capturing; it refuses what is called so."""
    return [Refused("toy.no") if "REFUSED" in c.reference else Done() for c in calls]


@compensation("payments.toy_uncheck")
def uncheck(calls: Sequence[StepCall]) -> list[Answer]:
    return [Done() for _ in calls]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[UUID]:
    """A shop whose orders are only paid, by sagas of their own."""
    gateway = SandboxGateway(sandbox.client())
    monkeypatch.setattr(gateways, "get_gateway", lambda: gateway)
    with registered() as shop_id:
        yield shop_id
    assert wrong_books() == []


@contextmanager
def registered() -> Iterator[UUID]:
    """The definitions of these tests, and a shop's id."""
    travel(0)
    steps = [compensatable(contract.AUTHORIZE_PAYMENT), compensatable("payments.toy_check")]
    SagaDefinition(PAY, 1, [*steps, pivot(contract.CAPTURE_PAYMENT)], context=("payment_method",))
    back = ("order_id", "refund_minor", "credit_minor")
    SagaDefinition(GIVE_BACK, 1, [retriable(contract.REFUND_PAYMENT)], context=back)
    yield uuid7()
    unregister(PAY)
    unregister(GIVE_BACK)
    travel(0)


def pay(shop: UUID, *references: str, settle: bool = True) -> None:
    """Run one saga for each reference until nothing is left to do, or only start them."""
    starts = [
        StartSaga(
            definition=PAY, reference=name, shop_id=shop, subject_id=uuid7(), label=name, amount_minor=1000,
            currency="GBP", context={"payment_method": "pm_card_visa"},
        )
        for name in references
    ]  # fmt: skip
    start_sagas(starts, now=database_now())
    if settle:
        toys.settle()


def give_back(shop: UUID, reference: str, refund: int) -> None:
    """Refund part of what an order paid."""
    order = Payment.objects.get(reference=reference).order_id
    wanted = {"order_id": str(order), "refund_minor": refund, "credit_minor": 0}
    start = StartSaga(
        definition=GIVE_BACK, reference=f"{reference}/C-1", shop_id=shop, subject_id=order, label=reference,
        amount_minor=refund, currency="GBP", context=wanted,
    )  # fmt: skip
    start_sagas([start], now=database_now())
    toys.settle()


def ends(reference: str) -> tuple[str, str, str]:
    """How the saga, its hold and the payment stand."""
    saga = Saga.objects.get(reference=reference)
    return saga.state, saga.hold, Payment.objects.get(reference=reference).state


def happened(sandbox: SandboxProcess, reference: str) -> dict[str, int]:
    """What moved at the provider, counted there."""
    effects = sandbox.effects(reference)
    return {kind: effects[kind] for kind in ("holds", "captures", "voids", "refunds")}


@pytest.mark.parametrize("operation", ["create", "authorize", "capture"])
@pytest.mark.parametrize("trouble", ["drop", "do_then_drop", "do_then_5xx", "rate_limit"])
def test_whatever_befalls_a_call_the_money_is_taken_once(
    shop: UUID, sandbox: SandboxProcess, operation: str, trouble: str
) -> None:
    name = f"TAKEN-{operation}-{trouble}"
    sandbox.script(operation, name, trouble)

    pay(shop, name)

    assert ends(name) == ("completed", "none", "captured")
    assert sandbox.effects(name) | {"holds": 1, "captures": 1, "voids": 0, "refunds": 0} == sandbox.effects(
        name
    )


@pytest.mark.parametrize("operation", ["create", "authorize", "void"])
@pytest.mark.parametrize("trouble", ["drop", "do_then_drop", "do_then_5xx", "unavailable"])
def test_whatever_befalls_a_call_what_was_held_is_let_go_once(
    shop: UUID, sandbox: SandboxProcess, operation: str, trouble: str
) -> None:
    name = f"REFUSED-{operation}-{trouble}"
    sandbox.script(operation, name, trouble)

    pay(shop, name)

    assert ends(name) == ("compensated", "none", "voided")
    assert sandbox.effects(name) | {"holds": 1, "captures": 0, "voids": 1, "refunds": 0} == sandbox.effects(
        name
    )


@pytest.mark.parametrize("trouble", ["drop", "do_then_drop", "do_then_5xx", "rate_limit"])
def test_whatever_befalls_a_refund_it_is_made_once(shop: UUID, sandbox: SandboxProcess, trouble: str) -> None:
    name = f"BACK-{trouble}"
    sandbox.script("refund", f"{name}/C-1", trouble)
    pay(shop, name)

    give_back(shop, name, 400)

    assert Saga.objects.get(reference=f"{name}/C-1").state == "completed"
    assert Payment.objects.get(reference=name).refunded_minor == 400
    assert sandbox.effects(name)["refunds"] == 1


def test_f11_f24_a_no_of_the_bank_gives_back_what_was_held(shop: UUID, sandbox: SandboxProcess) -> None:
    sandbox.script("authorize", "POOR", "decline", code="insufficient_funds")
    sandbox.script("capture", "ODD", "decline", code="processing_error")

    pay(shop, "POOR", "ODD", "RICH")

    assert ends("POOR") == ("compensated", "none", "declined")
    assert ends("ODD") == ("compensated", "none", "voided")
    assert ends("RICH") == ("completed", "none", "captured")
    assert Saga.objects.get(reference="POOR").cause_code == "payments.declined"


def test_f31_a_refund_that_fails_parks_its_saga_for_a_person(shop: UUID, sandbox: SandboxProcess) -> None:
    sandbox.script("refund", "CLOSED/C-1", "decline", code="account_closed")
    pay(shop, "CLOSED")

    give_back(shop, "CLOSED", 400)

    saga = Saga.objects.get(reference="CLOSED/C-1")
    assert (saga.state, saga.hold) == ("running", "parked")
    assert "payments.refund_failed" in saga.hold_reason
    assert Payment.objects.get(reference="CLOSED").refunding_minor == 400


def test_a_hundred_at_once_all_end_as_they_should(shop: UUID, sandbox: SandboxProcess) -> None:
    names = [f"{'REFUSED' if n % 5 == 0 else 'MANY'}-{n}" for n in range(100)]

    pay(shop, *names)

    assert {ends(n) for n in names if "REFUSED" in n} == {("compensated", "none", "voided")}
    assert {ends(n) for n in names if "MANY" in n} == {("completed", "none", "captured")}
