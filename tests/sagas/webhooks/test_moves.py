"""Whatever happens, deliveries and endpoints make only the moves of their tables, and all of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from sagas.clock import database_now, travel
from sagas.sql import execute, rows
from sagas.webhooks import commands, ending, replay, store
from sagas.webhooks.call import Heard
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint
from sagas.webhooks.send import _claim, record
from sagas.webhooks.store import Claimed
from tests.sagas.webhooks.post import STAFF, Even, Shop, fan_out, make_due

pytestmark = pytest.mark.django_db(transaction=True)

#: Notes every change of a state, whoever makes it.
WATCH = """
CREATE TABLE watched_move (source text, target text);
CREATE FUNCTION watch_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO watched_move VALUES (TG_TABLE_NAME || ':' || OLD.state, NEW.state);
  RETURN NEW;
END $$;
CREATE TRIGGER watch_delivery AFTER UPDATE OF state ON webhooks_delivery FOR EACH ROW EXECUTE FUNCTION watch_move();
CREATE TRIGGER watch_endpoint AFTER UPDATE OF state ON webhooks_endpoint FOR EACH ROW
  WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION watch_move();
"""
UNWATCH = """
DROP TRIGGER watch_delivery ON webhooks_delivery; DROP TRIGGER watch_endpoint ON webhooks_endpoint;
DROP FUNCTION watch_move(); DROP TABLE watched_move;
"""
ANSWERS = [
    Heard("delivered", 200), Heard("failed", 500), Heard("gone", 410), Heard("throttled", 429, retry_after=9.0),
    Heard("no_key"), Heard("timed_out"),
]  # fmt: skip


@pytest.fixture
def watched(transactional_db: None) -> Iterator[None]:
    travel(0)
    execute(WATCH, prepare=False)
    yield
    execute(UNWATCH, prepare=False)


class World:
    """A shop with endpoints, claims that are out, and a dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.shop = Shop()
        self.endpoints = [self.shop.listens("https://shop.example/").pk for _ in range(2)]
        self.out: list[Claimed] = []

    def claim(self) -> None:
        for endpoint_id, _ in store.next_due():
            _, claimed, _ = _claim([endpoint_id], 4)
            self.out += claimed

    def answer(self) -> None:
        self.dice.shuffle(self.out)
        some, self.out = self.out[:3], self.out[3:]
        record([(c, self.dice.choice(ANSWERS)) for c in some], now=database_now(), rng=Even())

    def tell(self) -> None:
        self.shop.confirms(2)
        fan_out()

    def turn(self) -> None:
        act = self.dice.choice(
            [commands.enable_endpoint, commands.enable_endpoint, commands.disable_endpoint]
        )
        with transaction.atomic():
            act(self.dice.choice(self.endpoints), shop_id=self.shop.id, who=STAFF, now=database_now())

    def close(self) -> None:
        ending.close_disabled(now=database_now())

    def again(self) -> None:
        now = database_now()
        endpoint = WebhookEndpoint.objects.filter(state="enabled", shop_id=self.shop.id).first()
        if endpoint is not None:
            with transaction.atomic():
                replay.replay_range(
                    endpoint.pk, shop_id=self.shop.id, since=now - timedelta(days=1), until=now,
                    states=["delivered", "exhausted"], after=None, who=STAFF, now=now,
                )  # fmt: skip

    def wait(self) -> None:
        make_due()

    @property
    def acts(self) -> list[Callable[[], None]]:
        return [self.claim, self.answer, self.tell, self.turn, self.close, self.again, self.wait, self.answer]


def test_a_random_history_makes_only_moves_of_the_tables(watched: None) -> None:
    for seed in range(6):
        world = World(seed)
        for _ in range(60):
            world.dice.choice(world.acts)()

    made = set(rows("SELECT DISTINCT source, target FROM watched_move"))
    tables: tuple[tuple[str, Mapping[Any, Iterable[Any]]], ...] = (
        ("webhooks_delivery", WebhookDelivery.MOVES),
        ("webhooks_endpoint", WebhookEndpoint.MOVES),
    )
    allowed = {
        (f"{name}:{old.value}", new.value) for name, moves in tables for old in moves for new in moves[old]
    }
    assert made == allowed
