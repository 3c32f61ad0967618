"""Events become deliveries for the endpoints that asked; while there are none the reader passes by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from config.audit import Finding, compare
from sagas import bus, feed
from sagas.bus import get_subscription
from sagas.clock import database_now, travel
from sagas.delivery import deliver
from sagas.events import event_classes, register_event
from sagas.keeping import relay
from sagas.log import Token
from sagas.models import Checkpoint
from sagas.sql import execute, rows
from sagas.webhooks import commands, loops, replay
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint
from sagas.webhooks.offered import offered, offered_types
from tests.sagas.facts import Counted
from tests.sagas.webhooks.post import STAFF, Shop, fan_out, send_now, states
from tests.sagas.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "webhooks.fan_out"
ELSEWHERE = "https://shop.example/"


@pytest.fixture(autouse=True)
def _at_home(transactional_db: None) -> Iterator[None]:
    travel(0)
    yield
    travel(0)


def token() -> Token:
    at = Checkpoint.objects.get(subscription=NAME)
    return Token(at.era, at.xid, at.position)


def test_an_event_is_queued_for_each_endpoint_that_asked_for_it(shop: Shop) -> None:
    everything = shop.listens(ELSEWHERE)
    some = shop.listens(ELSEWHERE, "orders.OrderConfirmed")
    shop.listens(ELSEWHERE, "orders.OrderCancelled")
    Shop().listens(ELSEWHERE)
    orders = shop.confirms(3)
    shop.worries()

    fan_out()

    found = WebhookDelivery.objects.order_by("id")
    assert {d.endpoint_id for d in found} == {everything.pk, some.pk}
    assert [d.stream for d in found.filter(endpoint=some)] == orders
    assert set(states()) == {"queued"}


def test_a_batch_costs_one_look_and_one_statement_whatever_its_size(shop: Shop) -> None:
    for _ in range(3):
        shop.listens(ELSEWHERE)

    def statements(number: int) -> int:
        shop.confirms(number)
        with CaptureQueriesContext(
            connection,
        ) as seen:
            fan_out()
        return sum("webhooks_" in query["sql"] for query in seen.captured_queries)

    assert statements(2) == statements(100) == 2
    assert WebhookDelivery.objects.count() == 306


def test_the_same_events_again_add_nothing(shop: Shop) -> None:
    shop.listens(ELSEWHERE)
    shop.confirms(2)
    fan_out()
    before = list(WebhookDelivery.objects.order_by("id").values_list("id", flat=True))
    Checkpoint.objects.filter(subscription=NAME).update(era=0, xid=0, position=0)

    fan_out()

    assert list(WebhookDelivery.objects.order_by("id").values_list("id", flat=True)) == before


def test_an_endpoint_is_told_of_nothing_from_before_it_was_there(shop: Shop) -> None:
    shop.confirms()
    shop.listens(ELSEWHERE)
    (later,) = shop.confirms()

    fan_out()

    assert list(WebhookDelivery.objects.values_list("stream", flat=True)) == [later]


def test_other_types_are_asked_for_from_then_on(shop: Shop) -> None:
    endpoint = shop.listens(ELSEWHERE, "orders.OrderCancelled")
    shop.confirms()
    changes = {"event_types": ["orders.OrderConfirmed"]}
    with transaction.atomic():
        commands.update_endpoint(endpoint.pk, shop_id=shop.id, changes=changes, who=STAFF, now=database_now())
    (later,) = shop.confirms()

    fan_out()

    assert list(WebhookDelivery.objects.values_list("stream", flat=True)) == [later]


def test_what_a_disabled_endpoint_misses_is_listed_and_can_be_replayed(
    shop: Shop, receiver: Receiver
) -> None:
    endpoint = shop.listens(receiver, "orders.OrderConfirmed")
    began = database_now()
    given: dict[str, Any] = {"shop_id": shop.id, "who": STAFF}
    with transaction.atomic():
        commands.disable_endpoint(endpoint.pk, now=database_now(), **given)
    missed = shop.confirms(2)
    fan_out(), send_now()
    listed = states(endpoint)
    with transaction.atomic():
        commands.enable_endpoint(endpoint.pk, now=database_now(), **given)
        done = replay.replay_range(
            endpoint.pk, since=began, until=database_now(), states=["exhausted"], after=None,
            now=database_now(), **given,
        )  # fmt: skip
    send_now()

    assert listed == ["exhausted", "exhausted"]
    assert (done.count, states(endpoint)) == (2, ["delivered", "delivered"])
    assert {came.body.split(b'"')[3].decode().partition(".")[0] for came in receiver.came} == {
        str(order) for order in missed
    }


def test_a_long_range_is_replayed_piece_by_piece(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = shop.listens(ELSEWHERE)
    shop.confirms(5)
    fan_out()
    WebhookDelivery.objects.update(state="exhausted", wake_at=None, finished_at=database_now())
    monkeypatch.setattr(replay, "MOST_AT_ONCE", 2)
    counts, after = [], None

    while True:
        with transaction.atomic():
            done = replay.replay_range(
                endpoint.pk, shop_id=shop.id, since=database_now() - timedelta(hours=1), until=database_now(),
                states=["exhausted", "delivered"], after=after, who=STAFF, now=database_now(),
            )  # fmt: skip
        counts.append(done.count)
        after = done.after
        if after is None:
            break

    assert counts == [2, 2, 1]
    assert set(states()) == {"queued"}


def test_an_event_from_before_is_sent_by_its_name_and_only_to_its_shop(shop: Shop) -> None:
    (mine,) = shop.confirms()
    (foreign,) = Shop().confirms()
    endpoint = shop.listens(ELSEWHERE)
    fan_out()

    with transaction.atomic():
        done = replay.replay_events(
            endpoint.pk,
            [f"{mine}.1", f"{foreign}.1", f"{mine}.2"],
            shop_id=shop.id,
            who=STAFF,
            now=database_now(),
        )

    assert done.count == 1
    assert list(WebhookDelivery.objects.values_list("stream", flat=True)) == [mine]


def test_after_long_a_disabled_endpoint_gets_no_more_listed_and_is_owed_nothing(shop: Shop) -> None:
    endpoint = shop.listens(ELSEWHERE)
    long_ago = database_now() - timedelta(days=31)
    WebhookEndpoint.objects.update(state="disabled", state_since=long_ago)
    shop.confirms()
    fan_out()
    unlisted = WebhookDelivery.objects.count()
    with transaction.atomic():
        commands.enable_endpoint(endpoint.pk, shop_id=shop.id, who=STAFF, now=database_now())
    (later,) = shop.confirms()
    fan_out()

    assert unlisted == 0
    assert list(WebhookDelivery.objects.values_list("stream", flat=True)) == [later]
    assert i11().breaches == 0


# --- while nobody asks ---------------------------------------------------------------------------------------


def test_without_endpoints_the_reader_comes_to_the_end_and_reads_nothing(shop: Shop) -> None:
    shop.confirms(3)
    heard: list[object] = []
    bus.event_published.connect(lambda **told: heard.append(told), sender=get_subscription(NAME), weak=False)

    relay.relay(now=database_now())

    assert token() >= feed.newest(Token(0, 0, 0))["orders.OrderConfirmed", False]
    assert (heard, WebhookDelivery.objects.count()) == ([], 0)


def test_without_endpoints_and_events_nothing_is_written(shop: Shop) -> None:
    shop.confirms()
    relay.relay(now=database_now())
    before = Checkpoint.objects.get(subscription=NAME).moved_at

    for _ in range(5):
        relay.relay(now=database_now())

    assert Checkpoint.objects.get(subscription=NAME).moved_at == before


def test_an_endpoint_being_made_while_the_reader_passes_by_misses_nothing(
    shop: Shop, other_session: Callable[..., Any]
) -> None:
    """Its transaction is open when something happens, and when the reader looks."""
    shop.confirms()
    sub = get_subscription(NAME)
    with transaction.atomic():
        # A transaction that is still open, and has an id: nothing behind it may be passed by.
        endpoint = WebhookEndpoint(
            shop_id=shop.id, url=ELSEWHERE, state_since=database_now(), secret_key="k", made_at=database_now()
        )
        endpoint.save()
        execute(commands.ASK_FROM_HERE, [endpoint.pk])
        asked = rows("SELECT asked_xid FROM webhooks_endpoint")[0][0]
        during = other_session(shop.confirms)
        other_session(relay.pass_unwanted, sub, 0)
    moved = relay.pass_unwanted(sub, 0)
    after = shop.confirms()

    fan_out()

    assert token().xid >= asked
    assert moved == 0
    assert list(WebhookDelivery.objects.order_by("id").values_list("stream", flat=True)) == [*during, *after]


@pytest.fixture
def other_session() -> Callable[..., Any]:
    """Run something on a connection of its own."""

    def run(call: Callable[..., Any], *arguments: Any) -> Any:
        def body() -> Any:
            try:
                return call(*arguments)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(body).result(timeout=20)

    return run


def test_a_reader_that_is_wanted_by_rows_needs_a_time_to_look() -> None:
    with pytest.raises(ValueError, match="nobody wants"):
        bus.subscription("tests.asleep", of=(Counted,), wanted_by="SELECT 1")


# --- what may be told ----------------------------------------------------------------------------------------


def test_only_events_with_a_shop_are_offered_and_none_tells_who_the_customer_is() -> None:
    with pytest.raises(ValueError, match="shop_id"):
        register_event("tests.ForShops", for_shops=True)(type("Bare", (Counted,), {}))

    assert "sagas.OperatorActed" not in offered_types()
    assert {"orders.OrderPlaced", "payments.PaymentCaptured", "shipping.ShipmentDelivered"} <= set(
        offered_types()
    )
    assert all("shop_id" in cls.__dataclass_fields__ for cls in offered())
    assert set(get_subscription(NAME).types) == {t for t in offered_types() if event_classes()[t].for_shops}


# --- the audit -----------------------------------------------------------------------------------------------


def i11() -> Finding:
    with transaction.atomic():
        return next(f for f in compare(None) if f.invariant == "I11")


def test_i11_the_audit_misses_a_delivery_that_was_lost_and_only_that(shop: Shop) -> None:
    shop.listens(ELSEWHERE, "orders.OrderConfirmed")
    shop.listens(ELSEWHERE, "orders.OrderCancelled")
    shop.confirms(3)
    fan_out()
    whole = i11()
    shop.confirms()
    unsettled = i11()
    lost = WebhookDelivery.objects.order_by("id")[0]
    lost.delete()
    found = i11()

    assert (whole.breaches, unsettled.breaches, found.breaches) == (0, 0, 1)
    assert f"{lost.stream}.1" in found.examples[0]


def test_i11_what_was_deleted_by_age_is_no_loss(shop: Shop) -> None:
    shop.listens(ELSEWHERE)
    past = database_now() - loops.KEPT_FOR - timedelta(seconds=1)
    shop.confirms(2, now=past)
    fan_out()
    WebhookDelivery.objects.update(state="delivered", wake_at=None, finished_at=past)

    gone = loops.retention(now=database_now())

    assert (gone, i11().breaches) == (2, 0)


def test_deliveries_are_kept_for_their_time_and_those_under_way_for_good(shop: Shop) -> None:
    shop.listens(ELSEWHERE)
    shop.confirms(2)
    fan_out()
    first = WebhookDelivery.objects.order_by("id")[0]
    young = database_now() - loops.KEPT_FOR + timedelta(minutes=1)
    WebhookDelivery.objects.filter(pk=first.pk).update(state="delivered", wake_at=None, finished_at=young)

    assert loops.retention(now=database_now()) == 0
    assert WebhookDelivery.objects.count() == 2


def test_what_belonged_to_a_deleted_endpoint_goes_with_it(shop: Shop) -> None:
    endpoint = shop.listens(ELSEWHERE)
    shop.confirms(2)
    fan_out()
    with transaction.atomic():
        commands.delete_endpoint(endpoint.pk, shop_id=shop.id, who=STAFF, now=database_now())
    loops.close_disabled(now=database_now())
    early = loops.retention(now=database_now())

    later = loops.retention(now=database_now() + loops.GRACE + timedelta(seconds=1))

    assert (early, later) == (0, 3)
    assert not WebhookEndpoint.objects.exists()
    assert deliver(NAME, now=database_now) >= 0
