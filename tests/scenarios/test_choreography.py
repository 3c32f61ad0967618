"""What only a choreography can suffer: an event that never arrives, one nobody can digest, a wish on its way."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from prometheus_client import REGISTRY

from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from sagas import choreography, operate
from sagas.bus import event_published, get_subscription
from sagas.clock import database_now, travel
from sagas.engine.part import PATIENCE
from sagas.keeping.deadlines import deadlines
from sagas.models import Checkpoint, ParkedEvent, SagaStep
from sagas.sql import execute
from tests.chaos.stages import every_way, outcomes
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import CANCELLED, CONFIRMED, Ends, Fulfilment, in_business

WHO = {"actor": "ada", "reason": "mended"}


@pytest.fixture
def dance(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop in business whose orders nobody leads."""
    with in_business(sandbox, style=CHOREOGRAPHY) as shop:
        yield shop
        assert shop.breaches() == []


@pytest.fixture
def deaf_inventory(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Inventory cannot digest that money is held, as long as the list has something in it."""
    broken = [True]
    real = choreography.act

    def act(acts: Any, *, now: Any) -> None:
        taken = list(acts)
        if broken and any(getattr(a, "step", "") == "inventory.reserve_stock" for a in taken):
            raise ZeroDivisionError("no shelf")
        real(taken, now=now)

    monkeypatch.setattr(choreography, "act", act)
    return broken


def lose(subscription: str) -> None:
    """Let a reader pass over everything there is without taking it in."""
    end = "SELECT era, xid, position FROM sagas_event ORDER BY era DESC, xid DESC, position DESC LIMIT 1"
    execute(
        "INSERT INTO sagas_checkpoint (subscription, shard, era, xid, position, state, error)"
        f" SELECT %s, 0, era, xid, position, 'running', '' FROM ({end}) e"
        " ON CONFLICT (subscription, shard) DO UPDATE"
        " SET era = excluded.era, xid = excluded.xid, position = excluded.position",
        [subscription],
    )


def turned_back_by_intent() -> float:
    labels = {"definition": "orders.fulfil_order", "cause": "intent"}
    return REGISTRY.get_sample_value("waybill_sagas_turned_back_total", labels) or 0.0


def test_both_styles_come_to_the_same_end_order_by_order(
    transactional_db: None, sandbox: SandboxProcess
) -> None:
    ends = {}
    for style in (ORCHESTRATION, CHOREOGRAPHY):
        with in_business(sandbox, style=style) as shop:
            shop.start_over()
            every_way(shop)
            shop.settle()
            ends[style] = {
                reference: (one.ends, one.stories, one.money, one.effects)
                for reference, one in outcomes(shop).items()
            }
            assert shop.breaches() == []

    assert len(ends[CHOREOGRAPHY]) == 6
    assert ends[CHOREOGRAPHY] == ends[ORCHESTRATION]


def test_an_event_that_never_came_is_noticed_and_told_again_to_the_one_who_missed_it(
    dance: Fulfilment,
) -> None:
    dance.shelve(MUG=10)
    dance.order("A-1")
    dance.settle(without=["inventory.reserve_stock"])
    SagaStep.objects.filter(name="inventory.reserve_stock").delete()  # as if the event had never reached it
    dance.settle()
    assert dance.ends() == Ends("pending", "authorized", None, None)

    travel(PATIENCE.total_seconds() + 60)
    deadlines(now=database_now())

    saga = dance.saga()
    assert (saga.hold, saga.hold_owner) == ("parked", "operations")
    assert saga.hold_reason == "silent: nothing followed payments.PaymentAuthorized"
    assert (dance.row().on_hold, dance.row().attention_reason) == (True, saga.hold_reason)
    operate.redrive([saga.pk], "payments.fulfilment", now=database_now(), **WHO)
    assert dance.saga().hold == "parked", "payments has done its part; it is not the one who missed it"
    operate.redrive([saga.pk], "inventory.fulfilment", now=database_now(), **WHO)
    dance.settle()
    assert dance.ends() == CONFIRMED
    assert dance.effects() == {"holds": 1, "captures": 1, "labels": 1}
    assert not dance.row().needs_attention


def test_what_its_readers_have_not_heard_yet_is_not_silence(dance: Fulfilment) -> None:
    dance.shelve(MUG=10)
    dance.order("A-1")
    travel(PATIENCE.total_seconds() + 60)

    deadlines(now=database_now())

    assert dance.saga().hold == "none"
    dance.settle()
    assert dance.ends() == CONFIRMED


def test_telling_again_what_was_heard_begins_nothing_twice(dance: Fulfilment) -> None:
    dance.run()

    for reader in operate.reactions():
        operate.redrive([dance.saga().pk], reader.name, now=database_now(), **WHO)
    dance.settle()

    assert dance.ends() == CONFIRMED
    assert dance.effects() == {"holds": 1, "captures": 1, "labels": 1}
    assert len(dance.story()) == 6


def test_the_shell_tells_again_and_refuses_what_the_engine_leads(dance: Fulfilment) -> None:
    dance.run()
    dance.style = ORCHESTRATION
    dance.order("LED")
    out = StringIO()

    call_command(
        "sagas",
        "redrive",
        "A-1",
        "--to",
        "shipping.fulfilment",
        "--actor",
        "ada",
        "--reason",
        "r",
        stdout=out,
    )

    assert out.getvalue() == "Delivered again to shipping.fulfilment: 1 saga.\n"
    with pytest.raises(operate.NotChoreographed):
        operate.redrive([dance.saga("LED").pk], "shipping.fulfilment", now=database_now(), **WHO)
    for other in ("shipping.nothing", "orders.lost_goods"):  # the second would put the order on hold again
        with pytest.raises(operate.NoSuchReaction):
            operate.redrive([dance.saga().pk], other, now=database_now(), **WHO)
    dance.settle()


def test_f64_a_poison_event_stops_its_own_order_only_and_goes_on_once_it_can_be_digested(
    dance: Fulfilment, deaf_inventory: list[bool]
) -> None:
    dance.shelve(MUG=10)
    dance.order("A-1")
    dance.settle()
    deaf_inventory.clear()
    dance.order("A-2")
    dance.settle()
    assert dance.ends("A-1") == Ends("pending", "authorized", None, None)
    assert dance.ends("A-2") == CONFIRMED
    (parked,) = ParkedEvent.objects.filter(settled_at=None)
    assert (parked.subscription, parked.error) == ("inventory.fulfilment", "ZeroDivisionError: no shelf")

    operate.settle_parked([parked.pk], how="redeliver", now=database_now(), **WHO)
    dance.settle()

    assert dance.ends("A-1") == CONFIRMED


def test_f62_events_that_are_delivered_again_a_day_later_have_no_second_effect(dance: Fulfilment) -> None:
    dance.run()
    travel(86_400)

    Checkpoint.objects.filter(subscription__endswith="fulfilment").update(era=0, xid=0, position=0)
    dance.settle()

    assert dance.ends() == CONFIRMED
    assert dance.effects() == {"holds": 1, "captures": 1, "labels": 1}


def test_a_wish_that_is_heard_before_what_it_ends_leaves_a_tombstone(dance: Fulfilment) -> None:
    dance.shelve(MUG=10)
    dance.order("A-1")
    dance.settle(without=["inventory.reserve_stock"])
    lose("inventory.fulfilment")
    SagaStep.objects.filter(name="inventory.reserve_stock").delete()

    dance.cancel()
    dance.settle()
    operate.redrive([dance.saga().pk], "inventory.fulfilment", now=database_now(), **WHO)
    dance.settle()

    assert dance.ends() == Ends("cancelled", "voided", None, None)
    assert dance.stock() == (10, 0, 0)


def test_the_order_stays_cancelling_until_everybody_has_given_back(dance: Fulfilment) -> None:
    dance.shelve(MUG=10)
    dance.order("A-1")
    dance.settle(without=["payments.capture_payment"])

    dance.cancel()
    dance.settle(without=["shipping.cancel_shipment"])
    assert dance.ends() == Ends("cancelling", "voided", "released", "label_bought")
    dance.settle()

    assert dance.ends() == CANCELLED


def test_an_operator_who_turns_a_saga_back_has_its_order_cancelled(dance: Fulfilment) -> None:
    dance.shelve(MUG=10)
    dance.order("A-1")
    dance.settle(without=["payments.capture_payment"])

    before = turned_back_by_intent()

    dance.act("turn_back")
    dance.settle()

    assert dance.ends() == CANCELLED
    assert turned_back_by_intent() - before == 1
    assert (dance.saga().state, dance.saga().cause, dance.saga().cause_code) == (
        "compensated",
        "intent",
        "looked into it",
    )


def test_an_undo_a_person_has_settled_by_hand_lets_the_order_end(dance: Fulfilment) -> None:
    dance.shelve(MUG=10)
    dance.given("shipping.cancel_shipment", meets="unavailable", times=500)
    dance.order("A-1")
    dance.settle(without=["payments.capture_payment"])
    dance.cancel()
    dance.settle()
    assert (dance.saga().hold, dance.ends().order) == ("parked", "cancelling")

    dance.act("skip", step="shipping.cancel_shipment")
    dance.settle()

    assert dance.ends() == Ends("cancelled", "voided", "released", "void_pending")
    dance.sandbox.control("DELETE", "/sandbox/scripts")
    execute(
        "UPDATE shipping_shipment SET state = 'label_bought'"
    )  # the test's own mess, put right for the audit
    dance.start_over()


def test_every_reaction_hears_by_the_one_signal() -> None:
    senders = {
        get_subscription(f"{app}.fulfilment") for app in ("orders", "payments", "inventory", "shipping")
    }

    assert all(event_published.has_listeners(sender) for sender in senders)


def test_a_payment_somebody_has_voided_at_the_provider_rejects_its_order(dance: Fulfilment) -> None:
    dance.shelve(MUG=10)
    dance.given("payments.authorize_payment", meets="unavailable", times=1)
    dance.order("A-1")
    dance.settle_now()
    dance.void_by_hand(dance.payment().provider_id)

    dance.settle()

    assert dance.ends() == Ends("rejected", "voided", None, None)
    assert dance.saga().state == "compensated"
