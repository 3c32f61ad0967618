"""Payments' part in sagas: each step beside its compensation. Importing registers them.

`begin` and `record` are one command call each; `ask` and `settle` run in a thread and talk to the gateway.
"""

from __future__ import annotations

from payments.steps.authorize import AuthorizePayment
from payments.steps.capture import CapturePayment
from payments.steps.refund import RefundPayment
from payments.steps.renew import GiveUpRenewal, HoldAnew, LetGoSpare
from payments.steps.share import CaptureShare, ReleaseRest
from payments.steps.void import VoidAuthorization

__all__ = [
    "AuthorizePayment",
    "CapturePayment",
    "CaptureShare",
    "GiveUpRenewal",
    "HoldAnew",
    "LetGoSpare",
    "RefundPayment",
    "ReleaseRest",
    "VoidAuthorization",
]
