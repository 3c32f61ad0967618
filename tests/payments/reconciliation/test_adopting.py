"""F66: what a failover made us forget is found at the provider, and adopted by its own saga once a person says so."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from payments import contract
from payments.commands.cases import look_again
from payments.gateways.sandbox import SandboxGateway
from payments.models import Payment
from payments.reconciliation.rows import Case, ReconciliationRun
from payments.reconciliation.run import Reconciler, open_run
from sagas.clock import database_now
from sagas.engine import StartSaga, start_sagas
from sagas.engine.work import work
from sagas.ids import uuid7
from sagas.sql import execute
from tests.payments.reconciliation.desk import ALWAYS
from tests.payments.test_in_a_saga import PAY, ends, happened, sandbox, shop  # noqa: F401 - fixtures
from tests.sagas import toys
from tests.sandbox_process import SandboxProcess

#: The rows as a replica had them that never heard of the intent; the saga was parked when it could not go on.
FORGET = (
    "UPDATE payments_payment SET state = 'created', provider_id = '', authorized_minor = 0, unknown_of = ''",
    (
        "UPDATE sagas_step SET state = 'gave_up', memo = '{}', verdict = 'unavailable', finished_at = waybill_now(),"
        " wake_at = NULL, lease_until = NULL"
    ),
    (
        "UPDATE sagas_saga SET hold = 'parked', hold_reason = 'gave up', hold_owner = 'operations',"
        " hold_since = waybill_now()"
    ),
)


def reconciled(sandbox_: SandboxProcess) -> ReconciliationRun:
    run = open_run(ALWAYS, now=database_now())
    gateway = SandboxGateway(sandbox_.client())
    leading = Reconciler(run, gateway, clock=database_now, grace=timedelta(0))
    while not leading.finished:
        leading.step()
    return run


def hold_and_forget(shop_id: UUID) -> None:
    """Hold the money at the provider, whose answer is lost, and forget that we ever asked."""
    start = StartSaga(
        definition=PAY, reference="LOST-1", shop_id=shop_id, subject_id=uuid7(), label="LOST-1", amount_minor=1000,
        currency="GBP", context={"payment_method": "pm_card_visa"},
    )  # fmt: skip
    start_sagas([start], now=database_now())
    work(contract.AUTHORIZE_PAYMENT, queues=toys.EVERYTHING, seconds=5)
    assert Payment.objects.get().provider_id
    for statement in FORGET:
        execute(statement)


def test_f66_a_forgotten_intent_is_found_and_adopted_by_its_saga(
    shop: UUID, sandbox: SandboxProcess  # noqa: F811 - fixtures
) -> None:  # fmt: skip
    sandbox.script("authorize", "LOST-1", "do_then_drop", times=1)
    hold_and_forget(shop)

    found = reconciled(sandbox)
    case = Case.objects.get()
    again = reconciled(sandbox)
    look_again(case.pk, actor="olga", reason="failed over at noon", now=database_now())
    toys.settle()
    mended = reconciled(sandbox)

    payment = Payment.objects.get()
    assert (found.result, again.result, mended.result) == ("differences", "differences", "clean")
    assert (case.kind, case.object_id, case.payment_id) == ("unknown_to_us", payment.provider_id, payment.pk)
    assert case.at_stake_minor == 1000
    assert Case.objects.get().state == "closed"
    assert ends("LOST-1") == ("completed", "none", "captured")
    assert happened(sandbox, "LOST-1") == {"holds": 1, "captures": 1, "voids": 0, "refunds": 0}
