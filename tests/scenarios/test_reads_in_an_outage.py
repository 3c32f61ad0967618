"""Calls that no step makes, while their provider is down: few are made, none is lost, and no look is used up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from structlog.testing import capture_logs

from payments import gateways
from payments.gateways.base import Intent, IntentStatus
from payments.gateways.fake import FakeGateway
from payments.loops import ask_after, patrol
from payments.models import Payment, Watch
from payments.reconciliation.nightly import some_pages
from payments.reconciliation.ours import Bounds
from payments.reconciliation.rows import ReconciliationRun
from payments.reconciliation.run import ProviderSilent, Reconciler, open_run
from sagas import circuits, gauges, operate
from sagas.clock import database_now, travel
from sagas.inbox.rows import IncomingWebhook
from sagas.resilience import breaker
from sagas.resilience.circuit import CircuitPolicy, Position
from sagas.resilience.shared import LocalStore
from sagas.steps import Ask
from sagas.verdicts import Unavailable
from shipping.carriers import TRACK, use_carrier
from shipping.carriers.fake import FakeCarrier
from shipping.commands import ask_after_parcels, hand_over, void_surplus_labels
from shipping.models import Shipment
from tests.conftest import Clock
from tests.payments.letters import SECRET, Postman, about_intent
from tests.payments.till import Till
from tests.shipping.dock import Dock, again

pytestmark = pytest.mark.django_db

POLICY = CircuitPolicy(
    failure_threshold=3,
    recovery_timeout=20,
    probes=2,
    successes_to_close=2,
    minimum_volume=10**9,
    ramp_seconds=0,
)
DOWN = Unavailable("payments.provider_unreachable")
FROM_START = 1_000_000_000.0


class Outage:
    """Providers that can be switched off, and how often each was asked."""

    def __init__(self) -> None:
        self.off, self.asked, self.ahead = False, Counter[str](), 0.0

    def __call__(self) -> float:
        return FROM_START + self.ahead

    def forward(self, seconds: float) -> None:
        self.ahead += seconds

    def between(self, name: str, honest: Any) -> Any:
        def ask(*args: Any, **options: Any) -> Any:
            self.asked[name] += 1
            return DOWN if self.off else honest(*args, **options)

        return ask


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    """Circuits of this test alone."""
    travel(0)
    found = Outage()
    mine = circuits.Circuits(LocalStore(found))
    monkeypatch.setattr(circuits, "_circuits", lambda _pid: mine)
    monkeypatch.setattr(breaker, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, circuit=POLICY))
    yield found
    travel(0)


@pytest.fixture
def till(outage: Outage, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Till:
    fake = FakeGateway()
    for name in ("retrieve", "retrieve_refund", "refunds_of", "list_intents", "list_refunds"):
        monkeypatch.setattr(fake, name, outage.between(name, getattr(fake, name)))
    monkeypatch.setattr(gateways, "get_gateway", lambda: fake)
    return Till(fake, clock)


def stands(provider: str, operation: str) -> Position:
    return next(r.position for r in circuits.reports() if (r.provider, r.operation) == (provider, operation))


def held(till: Till, count: int) -> datetime:
    """Payments whose holds ran out unheard, and a time at which they are asked after."""
    for n in range(count):
        till.authorize(f"A-{n}")
        till.gateway.happen(
            till.payment(f"A-{n}").provider_id, status=IntentStatus.VOIDED, capturable_minor=0
        )
    return database_now() + timedelta(minutes=16)


def test_f16_payments_are_asked_after_by_probes_alone_and_no_look_is_used_up(
    till: Till, outage: Outage
) -> None:
    now = held(till, 10)
    patrol(now=now)
    outage.off = True
    for n in range(30):
        ask_after(now=now + timedelta(seconds=10 * n))
        outage.forward(10)

    met = outage.asked["retrieve"]
    assert stands("gateway", "retrieve") is Position.OPEN
    assert met <= 10 + POLICY.probes * 15  # the first pass was out when it opened
    assert set(Watch.objects.values_list("looks", flat=True)) == {0}
    assert Watch.objects.count() == 10

    outage.off = False
    for n in range(30, 36):
        ask_after(now=now + timedelta(seconds=10 * n))
        outage.forward(10)
    assert set(Payment.objects.values_list("state", flat=True)) == {"expired"}
    assert outage.asked["retrieve"] - met == 10


def test_an_answer_that_does_not_help_still_counts_as_a_look(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "drop")
    till.authorize("A-1")
    now = database_now() + timedelta(minutes=16)
    patrol(now=now)

    ask_after(now=now)

    assert Watch.objects.get().looks == 1


def test_f16_what_came_in_waits_unread_while_the_circuit_is_open(
    till: Till, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, payment_webhook_secrets=(SECRET,)))
    held(till, 8)
    postman = Postman(till.gateway)
    intents = [till.gateway.retrieve(till.payment(f"A-{n}").provider_id) for n in range(8)]
    said = [about_intent(intent) for intent in intents if isinstance(intent, Intent)]
    outage.off = True
    for n in range(3):
        postman.tell(said[n], kind="payment_intent.canceled")
    postman.read()
    assert stands("gateway", "retrieve") is Position.OPEN
    for n in range(3, 8):
        postman.tell(said[n], kind="payment_intent.canceled")
    met = outage.asked["retrieve"]

    for _ in range(5):
        postman.read()

    assert outage.asked["retrieve"] == met
    assert IncomingWebhook.objects.filter(attempts=0, settled_at=None).count() == 5
    outage.off = False
    for _ in range(8):
        outage.forward(21)
        travel(outage.ahead)
        postman.read()
    assert set(IncomingWebhook.objects.values_list("state", flat=True)) == {"applied"}
    assert set(Payment.objects.values_list("state", flat=True)) == {"expired"}


@pytest.fixture
def sent(dock: Dock, outage: Outage, monkeypatch: pytest.MonkeyPatch) -> Dock:
    """A dock with six parcels the carrier has, of which nothing was heard for hours."""
    monkeypatch.setattr(dock.carrier, "track", outage.between("track", dock.carrier.track))
    names = [f"A-{n}" for n in range(6)]
    dock.book(*names)
    with transaction.atomic():
        hand_over([dock.shipment(name).pk for name in names], now=dock.clock.now)
    dock.clock.forward(hours=7)
    return dock


@pytest.fixture
def dock(clock: Clock) -> Iterator[Dock]:
    carrier = FakeCarrier()
    use_carrier(carrier)
    yield Dock(clock, carrier)
    use_carrier(None)


def test_f46_parcels_are_asked_after_by_probes_alone_and_keep_their_turn(sent: Dock, outage: Outage) -> None:
    outage.off = True
    for _ in range(10):
        ask_after_parcels(sent.carrier, now=sent.clock.now)
        sent.clock.forward(seconds=30)
        outage.forward(30)

    assert stands("carrier", "track") is Position.OPEN
    assert outage.asked["track"] <= 3 + POLICY.probes * 10
    soon = sent.clock.now + timedelta(minutes=1)
    assert Shipment.objects.filter(ask_at__lte=soon).count() == 6

    outage.off, before = False, outage.asked["track"]
    for _ in range(4):
        sent.clock.forward(seconds=60)
        outage.forward(60)
        ask_after_parcels(sent.carrier, now=sent.clock.now)
    assert outage.asked["track"] - before == 6
    assert Shipment.objects.filter(ask_at__lte=sent.clock.now + timedelta(hours=5)).count() == 0


@pytest.fixture
def too_many(dock: Dock, outage: Outage, monkeypatch: pytest.MonkeyPatch) -> Dock:
    """A dock with six labels too many."""
    monkeypatch.setattr(dock.carrier, "cancel", outage.between("cancel", dock.carrier.cancel))
    for n in range(6):
        slow = dock.call(f"A-{n}")
        (in_flight,) = dock.begin(slow)
        assert isinstance(in_flight, Ask)
        dock.run(dock.call(f"A-{n}", intent_number=2))
        dock.record([(again(slow, late=True), dock.ask(in_flight))])
    assert Shipment.objects.exclude(surplus=[]).count() == 6
    return dock


def test_f46_labels_too_many_are_given_back_by_probes_alone_and_none_is_forgotten(
    too_many: Dock, outage: Outage
) -> None:
    outage.off = True
    for _ in range(10):
        assert void_surplus_labels(too_many.carrier, now=too_many.clock.forward(seconds=10)) == 0
        outage.forward(10)

    assert stands("carrier", "void_surplus") is Position.OPEN
    assert outage.asked["cancel"] <= 3 + POLICY.probes * 5
    assert Shipment.objects.exclude(surplus=[]).count() == 6
    outage.off, before = False, outage.asked["cancel"]
    given_back = []
    for _ in range(4):
        outage.forward(21)
        given_back.append(void_surplus_labels(too_many.carrier, now=too_many.clock.forward(seconds=10)))
    assert (sum(given_back), outage.asked["cancel"] - before) == (6, 6)
    assert stands("carrier", "void_surplus") is Position.CLOSED
    assert Shipment.objects.exclude(surplus=[]).count() == 0


def test_a_label_that_the_carrier_never_answers_for_holds_up_no_other(
    too_many: Dock, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = min(Shipment.objects.exclude(surplus=[]), key=lambda one: one.pk).surplus[0]
    honest = too_many.carrier.cancel
    monkeypatch.setattr(
        too_many.carrier, "cancel", lambda ask: DOWN if ask.shipment_id == first else honest(ask)
    )

    for _ in range(40):
        void_surplus_labels(too_many.carrier, now=too_many.clock.forward(seconds=10), limit=1)
        outage.forward(21)

    assert [label for one in Shipment.objects.all() for label in one.surplus] == [first]


def test_a_reconciliation_stops_with_a_clear_word_and_goes_on(till: Till, outage: Outage) -> None:
    till.authorize("A-1")
    bounds = Bounds(since=None, until=None)
    outage.off = True
    for _ in range(3):
        with pytest.raises(ProviderSilent, match="provider_unreachable"):
            leading(till, bounds).step()

    with pytest.raises(ProviderSilent, match="circuit_open gateway:list until"):
        leading(till, bounds).step()

    assert outage.asked["list_intents"] == 3
    assert ReconciliationRun.objects.get().trouble.startswith("circuit_open gateway:list until")
    outage.off = False
    outage.forward(21)
    again = leading(till, bounds)
    while not again.finished:
        again.step()
    assert ReconciliationRun.objects.count() == 1
    assert again.run.trouble == ""


def test_the_nightly_run_waits_in_silence_and_tries_later(till: Till, outage: Outage) -> None:
    till.authorize("A-1")
    now = datetime(2026, 1, 6, 2, 30, tzinfo=UTC)
    outage.off = True
    for _ in range(3):
        some_pages(time(2, 15), now=now)
    met = outage.asked["list_intents"]

    with capture_logs() as said:
        assert [some_pages(time(2, 15), now=now) for _ in range(20)] == [0] * 20
    assert (said, outage.asked["list_intents"], met) == ([], 3, 3)
    outage.off = False
    outage.forward(21)
    assert some_pages(time(2, 15), now=now) > 0


def leading(till: Till, bounds: Bounds) -> Reconciler:
    run = open_run(bounds, now=database_now())
    return Reconciler(run, till.gateway, clock=database_now)


def test_people_see_and_hold_these_circuits_like_the_others(outage: Outage, till: Till) -> None:
    names = {("gateway", "retrieve"), ("gateway", "list"), ("carrier", "track"), ("carrier", "void_surplus")}
    assert names <= set(circuits.names())
    shown = {
        (s.labels["provider"], s.labels["operation"]) for metric in gauges._circuits() for s in metric.samples
    }
    assert names <= shown

    operate.force_circuit("carrier", "track", "open", actor="ada", reason="maintenance", now=database_now())
    circuits.force("carrier", "track", circuits.Forced(
        position=Position.OPEN, actor="ada", reason="maintenance", since=0.0
    ))  # fmt: skip
    assert circuits.room_for(TRACK, 20) == 0
    shut = circuits.ask_through(TRACK, lambda: pytest.fail("asked"))
    assert isinstance(shut, Unavailable)
    assert shut.code == "circuit_open"

    circuits.force("carrier", "track", None)
    assert circuits.room_for(TRACK, 20) == 20


def test_a_refusal_is_an_answer_and_reads_say_nothing_of_writing(outage: Outage, till: Till) -> None:
    for _ in range(9):
        circuits.ask_through(gateways.RETRIEVE, lambda: till.gateway.retrieve("pi_none"))
    assert stands("gateway", "retrieve") is Position.CLOSED
    outage.off = True
    for _ in range(9):
        circuits.ask_through(gateways.RETRIEVE, lambda: till.gateway.retrieve("pi_none"))

    open_ones = {(r.provider, r.operation) for r in circuits.reports() if r.position is not Position.CLOSED}
    assert open_ones == {("gateway", "retrieve")}
