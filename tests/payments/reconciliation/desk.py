"""A desk to reconcile at: a provider whose record can be tampered with, and runs a page at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from payments.gateways.base import Intent, IntentStatus, Page, Refund, RefundStatus
from payments.gateways.fake import FakeGateway
from payments.models import Payment
from payments.reconciliation.ours import Bounds
from payments.reconciliation.rows import Case, ReconciliationRun
from payments.reconciliation.run import Reconciler, open_run
from sagas.ids import uuid7
from sagas.models import Saga, SagaStep
from sagas.verdicts import Unavailable
from tests.conftest import Clock
from tests.payments.till import Till

ALWAYS = Bounds(since=None, until=None)


class TamperedGateway(FakeGateway):
    """Keeps a true record until told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.silent_after: int | None = None  #: Pages it still lists before it goes silent.
        self.listed: list[str | None] = []
        self.looked_up: list[str] = []

    def plant(self, **more: Any) -> Intent:
        """An intent that was never asked for by our steps."""
        known: dict[str, Any] = {
            "id": f"pi_planted_{next(self._numbers)}", "status": IntentStatus.CAPTURED, "amount_minor": 1000,
            "currency": "GBP", "capturable_minor": 0, "captured_minor": 1000, "reference": "", "key": "",
        }  # fmt: skip
        return self._keep(Intent(**known | more))

    def plant_refund(self, **more: Any) -> Refund:
        """A refund that was never asked for by our steps."""
        known: dict[str, Any] = {
            "id": f"re_planted_{next(self._numbers)}", "status": RefundStatus.SUCCEEDED, "amount_minor": 400,
            "currency": "GBP", "reference": "", "key": "",
        }  # fmt: skip
        refund = Refund(**known | more)
        self._refunds[refund.id] = refund
        return refund

    def alter(self, ident: str, **changes: Any) -> None:
        """Let it remember one object differently."""
        if ident in self._intents:
            self._intents[ident] = replace(self._intents[ident], **changes)
        else:
            self._refunds[ident] = replace(self._refunds[ident], **changes)

    def forget(self, ident: str) -> None:
        """Let it lose one object."""
        self._intents.pop(ident, None)
        self._refunds.pop(ident, None)

    def list_intents(self, *, after: str | None = None, limit: int = 100) -> Page[Intent] | Unavailable:
        if self.silent_after is not None:
            if not self.silent_after:
                return Unavailable("payments.down", "connection refused")
            self.silent_after -= 1
        self.listed.append(after)
        return super().list_intents(after=after, limit=limit)

    def retrieve(self, intent_id: str, *, correlation_id: str = "") -> Any:
        self.looked_up.append(intent_id)
        return super().retrieve(intent_id, correlation_id=correlation_id)


class Desk:
    """Runs reconciliations against the till's gateway."""

    def __init__(self, till: Till, gateway: TamperedGateway, clock: Clock) -> None:
        self.till, self.gateway, self.clock = till, gateway, clock

    def reconciler(self, bounds: Bounds = ALWAYS, *, page: int = 100) -> Reconciler:
        """A process that has just been started."""
        run = open_run(bounds, now=self.clock.now)
        return Reconciler(run, self.gateway, clock=self.clock, page=page)

    def run(self, bounds: Bounds = ALWAYS, *, page: int = 100) -> ReconciliationRun:
        """One reconciliation to its end, an hour after everything has come to rest."""
        self.clock.forward(hours=1)
        leading = self.reconciler(bounds, page=page)
        while not leading.finished:
            leading.step()
        return leading.run

    def kinds(self) -> list[str]:
        """The kinds of all open cases."""
        return [
            str(k) for k in Case.objects.filter(state="open").order_by("id").values_list("kind", flat=True)
        ]

    def payment(self, reference: str) -> Payment:
        return self.till.payment(reference)

    def a_saga(self, reference: str, *, step_open: str = "", saga_id: UUID | None = None) -> UUID:
        """The saga of an order, as the engine would have written it; with one step of it open."""
        now = self.clock.now
        saga = Saga.objects.create(
            id=saga_id or self.till.id(f"saga of {reference}"), definition="orders.fulfil_order", version=1,
            shop_id=self.till.shop_id, subject_id=self.till.id(reference), reference=reference,
            search_key=reference, state="running", started_at=now, moved_at=now,
        )  # fmt: skip
        if step_open:
            SagaStep.objects.create(
                saga=saga, position=1, direction="do", name=step_open, key=uuid7(), wake_at=now,
                detail="", code="",
            )  # fmt: skip
        return saga.pk


def around(at: datetime, **amount: float) -> Bounds:
    """A window about a moment."""
    return Bounds(since=at - timedelta(**amount), until=at + timedelta(**amount))
