"""Real orders in both styles, with the troubles of one seed: every order comes to the same end, and so do the books."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command

from config.demo.run import SAMPLE
from orders.commands import create_shop
from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from orders.models import Shop
from sagas.clock import database_now
from sagas.engine.part import NOTHING_TO_UNDO
from sagas.sql import rows
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.scenarios.fulfilment import Fulfilment, in_business

DOCUMENTS = 120
SEED = "1"

ENDS = """
SELECT o.external_reference, o.state, o.total_minor, p.state, p.authorized_minor, p.captured_minor, p.refunded_minor,
       r.state, h.state
  FROM orders_order o
  LEFT JOIN payments_payment p ON p.order_id = o.id
  LEFT JOIN inventory_reservation r ON r.order_id = o.id
  LEFT JOIN shipping_shipment h ON h.order_id = o.id
 ORDER BY 1
"""
# Which undos ran, whatever their order: in a choreography they run side by side. A tombstone undid nothing.
STORIES = """
SELECT s.reference, s.definition, s.state, s.cause, s.cause_code, s.cause_step,
       array_agg(t.direction || ' ' || t.name || ' ' || t.state ORDER BY t.direction, t.position)
  FROM sagas_saga s JOIN sagas_step t ON t.saga_id = s.id
 WHERE t.code <> %s AND t.state <> 'dropped'
 GROUP BY s.id ORDER BY 1, 2
"""
MONEY = "SELECT account, currency, sum(amount_minor) FROM payments_journalline GROUP BY 1, 2 ORDER BY 1, 2"
UNITS = "SELECT sku, sum(on_hand), sum(held), sum(allocated) FROM inventory_stock GROUP BY 1 ORDER BY 1"


class Outcome(NamedTuple):
    """What came of one import."""

    ends: list[Any]
    stories: list[Any]
    effects: dict[str, dict[str, int]]
    money: list[Any]
    units: list[Any]
    breaches: list[str]


@pytest.fixture(scope="module")
def unruly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The gateway and the carrier of the demonstration: their troubles are drawn by the order's reference."""
    folder = tmp_path_factory.mktemp("unruly")
    with running_sandbox(folder, "--profile", "demo", "--seed", SEED) as running:
        yield running


def imported(shop: Fulfilment, folder: Path) -> Outcome:
    """The first documents of the sample, imported in the shop's style and settled."""
    shop.start_over()
    Shop.objects.all().delete()
    create_shop("Online Retail", slug="online-retail", now=database_now())
    call_command(
        "import_orders", str(SAMPLE), format="online-retail", shop="online-retail", limit=DOCUMENTS,
        scarce=SEED, style=shop.style, report=folder / f"{shop.style}.csv",
    )  # fmt: skip
    shop.settle()
    references = [reference for reference, *_ in rows(ENDS)]
    return Outcome(
        rows(ENDS),
        rows(STORIES, [NOTHING_TO_UNDO]),
        {reference: shop.effects(reference) for reference in references},
        rows(MONEY),
        rows(UNITS),
        shop.breaches(),
    )


def test_real_orders_of_one_seed_come_to_the_same_end_in_both_styles(
    transactional_db: None, unruly: SandboxProcess, tmp_path: Path
) -> None:
    found = {}

    for style in (ORCHESTRATION, CHOREOGRAPHY):
        with in_business(unruly, style=style) as shop:
            found[style] = imported(shop, tmp_path)

    led, danced = found[ORCHESTRATION], found[CHOREOGRAPHY]
    assert danced.ends == led.ends
    assert danced.stories == led.stories
    assert danced.effects == led.effects
    assert danced.money == led.money
    assert danced.units == led.units
    assert (led.breaches, danced.breaches) == ([], [])
    assert len(led.ends) > 90
    assert {end[1] for end in led.ends} >= {"confirmed", "rejected"}
