"""A working day at a small shop: sagas in every condition, with tries, acts and events."""

from __future__ import annotations

from datetime import timedelta

from sagas import log, operate
from sagas.clock import database_now
from sagas.contract import OperatorActed
from sagas.ids import uuid7
from sagas.models import ParkedEvent
from sagas.verdicts import Done, Refused, Unavailable, Unknown, Waiting
from tests.sagas import toys
from tests.sagas.crowd import crowd
from tests.sagas.toys import Script


def working_day(toy: Script) -> None:
    """Some hundreds of sagas that ended or stand somewhere, and a few with a story of their own."""
    crowd(400, now=database_now(), shop=toys.SHOP, definition="sagas.toy", within=timedelta(minutes=55))
    refused_after_retries(toy)
    parked_behind_the_pivot(toy)
    waiting_for_stock(toy)
    operate.pause_for_all(
        "provider", "bank", actor="olga", reason="their maintenance window, until 18:00", now=database_now()
    )
    parked_events()


def refused_after_retries(toy: Script) -> None:
    """536365: the bank stutters, then there are no goods: everything is given back."""
    toy.replies["hold_money@536365"] = [
        Unavailable("busy"),
        Unknown("dropped"),
        Done({"hold_id": str(uuid7())}),
    ]
    toy.replies["keep_goods@536365"] = [Refused("inventory.out_of_stock", "85123A: asked 6, left 2")]
    toys.start("536365", amount_minor=13912, currency="GBP")
    toys.settle()


def parked_behind_the_pivot(toy: Script) -> None:
    """536367: the money is taken and the shop does not answer; a retry did not help."""
    toy.always["tell_shop@536367"] = None
    toy.replies["tell_shop@536367"] = [Unavailable("no_answer", detail="503 Service Unavailable")] * 8
    toys.start("536367", amount_minor=27873, currency="EUR")
    toys.settle()
    operate.retry_now(
        [toys.saga("536367").pk], actor="olga", reason="the shop said it is back", now=database_now()
    )
    toys.settle()


def waiting_for_stock(toy: Script) -> None:
    """536370: waits for a delivery in two days."""
    toy.replies["keep_goods@536370"] = [Waiting("stock arrival", database_now() + timedelta(days=2))]
    toys.start("536370", amount_minor=8500, currency="GBP")
    toys.settle()


def parked_events() -> None:
    """A reaction that could not digest one event, and the next of its stream behind it."""
    stream, now = uuid7(), database_now()
    events = [OperatorActed(saga_id=None, act="x", target=name) for name in ("first", "second")]
    log.publish([log.Append(stream, at, event) for at, event in enumerate(events, 1)], now=now)
    for version, error in ((1, "KeyError: 'location'"), (2, "")):
        ParkedEvent.objects.create(
            subscription="inventory.stock_of_imports",
            stream=stream,
            version=version,
            error=error,
            parked_at=now,
        )
