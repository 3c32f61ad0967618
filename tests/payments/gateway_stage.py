"""The stage of the gateways' conformance suites: a gateway, its scripts, and one order of 12.50 GBP."""

from __future__ import annotations

from itertools import count
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from payments.gateways.base import (
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    Intent,
    PaymentGateway,
    Refund,
    RefundIntent,
    VoidIntent,
)
from payments.gateways.fake import FakeGateway
from payments.gateways.sandbox import SandboxGateway
from payments.gateways.stripe import StripeGateway, stripe_client
from tests.sandbox_process import SandboxProcess

NUMBERS = count(1)


class Provider(Protocol):
    """The scripted side of a gateway."""

    def script(
        self, operation: str, reference: str, action: str, *, times: int | None = None, **params: Any
    ) -> None: ...
    def effects(self, reference: str) -> dict[str, int]: ...


class Stage:
    """A gateway with its scripts, and one order of 12.50 GBP."""

    def __init__(self, gateway: PaymentGateway, provider: Provider) -> None:
        self.gateway = gateway
        self.provider = provider
        self.reference = f"ORDER-{next(NUMBERS)}"
        self.key = uuid4()

    def script(self, operation: str, action: str, *, times: int | None = None, **params: Any) -> None:
        self.provider.script(operation, self.reference, action, times=times, **params)

    def happened(self, kind: str) -> int:
        return self.provider.effects(self.reference).get(kind, 0)

    def created(self, key: UUID | None = None) -> Intent:
        return self.an_intent(self.gateway.create(self.creation(key)))

    def creation(
        self, key: UUID | None = None, amount_minor: int = 1250, *, in_shares: bool = False
    ) -> CreateIntent:
        return CreateIntent(key=key or self.key, reference=self.reference, amount_minor=amount_minor,
                            currency="GBP", payment_method="pm_card_visa", in_shares=in_shares)  # fmt: skip

    def confirmation(self, intent: Intent) -> ConfirmIntent:
        return ConfirmIntent(key=self.key, intent_id=intent.id)

    def authorized(self) -> Intent:
        return self.an_intent(self.gateway.confirm(self.confirmation(self.created())))

    def held_for_shares(self) -> Intent:
        created = self.an_intent(self.gateway.create(self.creation(in_shares=True)))
        return self.an_intent(self.gateway.confirm(self.confirmation(created)))

    def share(self, intent: Intent, amount_minor: int, *, final: bool = False) -> CaptureIntent:
        return CaptureIntent(key=uuid4(), intent_id=intent.id, amount_minor=amount_minor, final=final)

    def captured(self) -> Intent:
        request = CaptureIntent(key=self.key, intent_id=self.authorized().id, amount_minor=1250)
        return self.an_intent(self.gateway.capture(request))

    def voiding(self, intent: Intent) -> VoidIntent:
        return VoidIntent(key=self.key, intent_id=intent.id)

    def refunding(self, intent: Intent, amount_minor: int, key: UUID | None = None) -> RefundIntent:
        return RefundIntent(key=key or uuid4(), intent_id=intent.id, amount_minor=amount_minor,
                            reference=self.reference)  # fmt: skip

    def as_it_stands(self, intent: Intent) -> Intent:
        return self.an_intent(self.gateway.retrieve(intent.id))

    @staticmethod
    def an_intent(result: object) -> Intent:
        assert isinstance(result, Intent), result
        return result

    @staticmethod
    def a_refund(result: object) -> Refund:
        assert isinstance(result, Refund), result
        return result


#: What a module's `stage` fixture is parametrized with.
GATEWAYS = ("fake", "sandbox", "stripe")


def stage_of(request: pytest.FixtureRequest) -> Stage:
    """`fake`; or the sandbox, which the module's fixture starts, by our own or by Stripe's official client."""
    if request.param == "fake":
        fake = FakeGateway()
        return Stage(fake, fake)
    running: SandboxProcess = request.getfixturevalue("sandbox")
    if request.param == "sandbox":
        return Stage(SandboxGateway(running.client()), running)
    return Stage(StripeGateway(stripe_client(running.client(), api_key="sk_test_conformance")), running)
