"""What tests of shares look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from payments.queries import trial_balance
from tests.payments.till import Till


def amounts(till: Till) -> tuple[str, int, int]:
    """Where the payment of A-1 stands, what is ours of it, and what the provider says that it holds."""
    payment = till.payment("A-1")
    intent = till.gateway.retrieve(payment.provider_id)
    return str(payment.state), payment.captured_minor, getattr(intent, "capturable_minor", -1)


def nonzero() -> dict[str, int]:
    """The accounts that are not even."""
    return {account: amount for (account, _), amount in trial_balance().items() if amount}


def with_one_capture(settings: Any) -> None:
    """The installation's contract with its provider allows one capture for each hold."""
    settings.WAYBILL = replace(settings.WAYBILL, payment_multicapture=False)
