"""Shares in doubt through the whole house: slow, lost, contradicted, or given up by a person while nobody knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from orders import commands
from orders.models import FulfilmentOrder
from orders.parcelling.commands import ask_parcel
from payments.commands.settling import decide_share
from payments.gateways import get_gateway
from payments.gateways.base import CaptureIntent
from payments.models import Capture
from sagas import operate
from sagas.clock import database_now, travel
from sagas.ids import uuid7
from sagas.log import read
from sagas.models import Intent, Saga
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Fulfilment, in_business, sandbox
from tests.scenarios.returning import offset

__all__ = ["sandbox"]

SHIP_PARCEL = "orders.ship_parcel"
CAPTURE_SHARE = "payments.capture_share"


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop with one order of five mugs in parcels, confirmed. At the end of the test the books have to balance."""
    with in_business(sandbox) as business:
        business.shelve(MUG=10)
        business.order_in_parcels(MUG=5)
        business.settle()
        yield business
        assert business.breaches() == []


@pytest.fixture
def doubtful(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """The same shop in a test at whose end something is left that only a person can put right."""
    with in_business(sandbox) as business:
        business.shelve(MUG=10)
        business.order_in_parcels(MUG=5)
        business.settle()
        yield business


def parcel(shop: Fulfilment) -> FulfilmentOrder:
    """Somebody asks for a parcel with one mug."""
    return ask_parcel(shop.row().pk, {1: 1}, actor="ada", reason="it is here", now=database_now())


def parcels(shop: Fulfilment) -> list[str]:
    """How the parcels of the order stand."""
    found = FulfilmentOrder.objects.filter(order_id=shop.row().pk).order_by("number")
    return list(found.values_list("state", flat=True))


def shares() -> list[str]:
    """How the shares stand, in the order in which they were asked for."""
    return list(Capture.objects.order_by("id").values_list("state", flat=True))


def money(shop: Fulfilment) -> tuple[str, int, int]:
    """Where the payment stands, what is ours of it, and how many captures there were."""
    payment = shop.payment()
    return payment.state, payment.captured_minor, shop.effects().get("captures", 0)


def test_f26_a_capture_that_the_provider_carries_out_late_is_done_once(shop: Fulfilment) -> None:
    shop.given("payments.capture_payment", "A-1", meets="delay", times=1, seconds=4, done_first=False)
    parcel(shop)

    shop.settle_now()  # we hang up after two seconds
    shop.settle(horizon=timedelta(seconds=1))  # and ask again, while the first request is at work
    between = money(shop)
    time.sleep(3)
    shop.settle()

    assert between == ("capturing", 0, 0)
    assert parcels(shop) == ["ready"]
    assert money(shop) == ("partly_captured", 500, 1)


# --- one in doubt, and those that wait for it ---------------------------------------------------------------


def test_parcels_wait_for_a_share_in_doubt_however_long_it_takes(shop: Fulfilment) -> None:
    shop.given("payments.capture_payment", "A-1", meets="do_then_drop", times=1)
    shop.sandbox.script("retrieve", "A-1", "drop", times=10)

    for _ in range(4):
        parcel(shop)
    shop.settle()

    assert parcels(shop) == ["ready"] * 4
    assert money(shop) == ("partly_captured", 2000, 4)
    assert shop.row().needs_attention is False


def test_the_next_share_is_woken_when_one_has_ended(shop: Fulfilment) -> None:
    for _ in range(4):
        parcel(shop)

    shop.settle_now()  # nobody waits for a time to come

    assert parcels(shop) == ["ready"] * 4
    assert money(shop) == ("partly_captured", 2000, 4)


# --- the provider says what cannot be -----------------------------------------------------------------------


def contradicted(shop: Fulfilment) -> Saga:
    """A share was taken and its answer lost; before anybody looks, somebody takes 1.00 more by hand."""
    shop.given("payments.capture_payment", "A-1", meets="do_then_drop", times=1)
    shop.sandbox.script("retrieve", "A-1", "drop", times=1_000)
    parcel(shop)
    shop.settle_now()
    shop.sandbox.control("DELETE", "/sandbox/scripts")
    by_hand = CaptureIntent(
        key=uuid7(), intent_id=shop.payment().provider_id, amount_minor=100, final=False
    )  # fmt: skip
    assert not isinstance(get_gateway().capture(by_hand), Exception)
    shop.settle()
    return Saga.objects.get(definition=SHIP_PARCEL)


def test_f26_past_its_deadline_a_parcel_whose_share_is_in_doubt_is_not_given_up(doubtful: Fulfilment) -> None:
    saga = contradicted(doubtful)

    travel(offset() + 30 * 3600)
    doubtful.settle()

    saga.refresh_from_db()
    assert (saga.state, saga.hold) == ("running", "parked")
    assert saga.hold_reason == "payments.capture_share: payments.mismatch after 12 tries"
    assert (parcels(doubtful), shares()) == (["claimed"], ["unknown"])
    assert doubtful.row().needs_attention
    assert doubtful.effects("A-1/p1") == {"labels": 1}


@pytest.mark.parametrize("act", ["cancel", "turn_back"])
def test_nobody_can_turn_a_parcel_back_whose_share_is_in_doubt(doubtful: Fulfilment, act: str) -> None:
    saga = contradicted(doubtful)

    operate.act(act, [saga.pk], actor="ada", reason="give it up", now=database_now())
    doubtful.settle()

    assert Intent.objects.get().answer == "pivot_in_flight"
    assert (parcels(doubtful), shares()) == (["claimed"], ["unknown"])


@pytest.mark.parametrize(("is_taken", "ends"), [(True, ("ready", 500)), (False, ("given_up", 0))])
def test_a_persons_word_ends_what_the_provider_cannot_tell(
    doubtful: Fulfilment, is_taken: bool, ends: tuple[str, int]
) -> None:
    contradicted(doubtful)

    decide_share(
        Capture.objects.get().pk, is_taken=is_taken, actor="ada", reason="bank says", now=database_now()
    )
    doubtful.settle()

    assert (parcels(doubtful)[0], doubtful.payment().captured_minor) == ends
    told = [e for e in read(doubtful.payment().pk) if e.type.startswith("payments.Share")]
    assert [e.type.removeprefix("payments.Share") for e in told] == ["Captured" if is_taken else "Refused"]
    assert (told[0].metadata["actor"], told[0].metadata["reason"]) == ("ada", "bank says")


# --- no step is at work on it any more ----------------------------------------------------------------------


def parked(shop: Fulfilment, trouble: str) -> Saga:
    """A share met trouble, and nobody can be asked what became of it until its saga has given up asking."""
    shop.given("payments.capture_payment", "A-1", meets=trouble, times=1)
    shop.sandbox.script("retrieve", "A-1", "drop", times=1_000)
    parcel(shop)
    shop.settle(horizon=timedelta(minutes=2))
    shop.sandbox.control("DELETE", "/sandbox/scripts")
    assert "unknown" in shares()
    return Saga.objects.get(definition=SHIP_PARCEL, hold="parked")


def later(shop: Fulfilment) -> None:
    """Long enough for the provider to be asked about what nobody looks after."""
    for _ in range(2):
        travel(offset() + 31 * 60)
        shop.settle()


def skip(shop: Fulfilment, saga: Saga) -> None:
    """A person says that the money is there."""
    payload = {"step": CAPTURE_SHARE, "result": {"captured_minor": 500}}
    operate.act("skip", [saga.pk], actor="ada", reason="it is", now=database_now(), payload=payload)
    shop.settle()


@pytest.mark.parametrize("trouble", ["do_then_drop", "drop"])
def test_f26_a_share_whose_saga_stands_still_is_settled_and_everything_goes_on(
    shop: Fulfilment, trouble: str
) -> None:
    parcel(shop)  # it waits for the other
    parked(shop, trouble)
    assert parcels(shop) == ["claimed", "claimed"]

    later(shop)

    assert parcels(shop) == ["ready", "ready"]
    assert money(shop) == ("partly_captured", 1000, 2)


def test_a_share_that_a_person_has_passed_over_is_booked_as_it_was_taken(shop: Fulfilment) -> None:
    saga = parked(shop, "do_then_drop")
    skip(shop, saga)
    assert (parcels(shop), money(shop)) == (["ready"], ("capturing", 0, 1))

    later(shop)

    assert (shares(), money(shop)) == (["succeeded"], ("partly_captured", 500, 1))
    assert shop.payment().mismatch == ""


def test_a_share_that_a_person_has_passed_over_and_that_was_not_taken_calls_one(doubtful: Fulfilment) -> None:
    saga = parked(doubtful, "drop")
    skip(doubtful, saga)
    commands.clear_attention(doubtful.row().pk, actor="ada", reason="looked", now=database_now())

    later(doubtful)

    assert (shares(), money(doubtful)) == (["put_off"], ("authorized", 0, 0))
    assert doubtful.row().attention_reason == (
        "payment mismatch: a share of 500 was not captured, and its parcel goes"
    )


def test_a_share_taken_for_a_parcel_that_a_person_has_given_up_calls_one(doubtful: Fulfilment) -> None:
    saga = parked(doubtful, "do_then_drop")
    operate.resolve([saga.pk], as_state="compensated", actor="ada", reason="no", now=database_now())
    doubtful.settle()
    commands.clear_attention(doubtful.row().pk, actor="ada", reason="looked", now=database_now())

    later(doubtful)

    saga.refresh_from_db()
    assert (shares(), money(doubtful)) == (["succeeded"], ("partly_captured", 500, 1))
    assert saga.hold_reason == "payments.capture_share: done, and cannot be given back"
    assert doubtful.row().needs_attention
