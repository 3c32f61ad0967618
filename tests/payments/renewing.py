"""Renewals to test with, without the keeper and the engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from payments import contract
from payments.commands.expiring import BEGIN_RENEWALS
from payments.commands.ledger import columns
from payments.gateways.base import IntentStatus
from sagas.ids import uuid7
from sagas.sql import execute
from sagas.steps import StepCall
from sagas.verdicts import Answer
from tests.payments.till import Till


def begin_renewal(till: Till) -> None:
    """An authorized payment of A-1, six days old, whose renewal has begun."""
    till.gateway.clock = till.clock
    till.authorize("A-1")
    till.clock.forward(days=6)
    payment = till.payment("A-1")
    until = payment.made_at + timedelta(days=7)
    row = (uuid7(), till.id("saga of A-1/renew-1"), payment.pk, payment.provider_id, until)
    execute(BEGIN_RENEWALS, [till.clock.now, till.clock.now, *columns([row])])


def call(till: Till, step: str, **more: Any) -> StepCall:
    """A call of the saga that renews."""
    known = {"payment_method": "pm_card_visa", "order_id": str(till.id("A-1")), "order_reference": "A-1"}
    return till.call(step, "A-1/renew-1", subject_id=till.payment("A-1").pk, input=known, **more)


def hold_anew(till: Till) -> Answer:
    """The first step of the renewal."""
    return till.run(call(till, contract.HOLD_ANEW))


def let_go(till: Till, step: str = contract.LET_GO_SPARE) -> Answer:
    """The step after it, or its undo."""
    return till.run(call(till, step))


def held_there(till: Till) -> list[str]:
    """The intents that hold money at the provider."""
    found = till.gateway.find_by_reference("A-1")
    assert isinstance(found, tuple)
    return [intent.id for intent in found if intent.status == IntentStatus.AUTHORIZED]
