"""Before an import it is known what stock the file needs and what its goods are called."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from orders.imports.survey import Survey, named
from tests.orders.imports.builders import Given, order_of, read


def _survey(path: Path, *rows: Given) -> Survey:
    survey = Survey()
    for record in read(path, *rows):
        survey.add(record)
    return survey


def test_opening_stock_is_all_that_is_sold_or_written_off(path: Path) -> None:
    survey = _survey(
        path,
        Given(quantity=6),
        Given(quantity=4),
        Given(invoice="536366", code="84879", quantity=5),
        Given(invoice="536367", quantity=-3, price="0.0", customer=""),
        Given(invoice="536368", code="22423", quantity=-2, price="0.0", customer=""),
        Given(invoice="536369", code="84879", quantity=9, price="0.0", customer=""),
        Given(invoice="C536370", quantity=-6),
    )

    assert survey.opening_stock() == {"22423": 2, "84879": 5, "85123A": 13}
    assert survey.opening_stock(without=["84879"]) == {"22423": 2, "85123A": 13}


def test_vouchers_and_charges_need_no_stock(path: Path) -> None:
    survey = _survey(
        path,
        Given(),
        Given(code="GIFT_0001_10", quantity=1),
        Given(code="POST"),
        Given(code="M", price="1.0"),
    )

    assert survey.opening_stock() == {"85123A": 6}


def test_a_sku_is_called_what_it_is_called_most_often(path: Path) -> None:
    survey = _survey(
        path,
        Given(description="HEART"),
        Given(description="WHITE HEART"),
        Given(description="WHITE HEART"),
        Given(code="22423", description="B"),
        Given(code="22423", description="A"),
    )

    assert survey.names() == {"85123A": "WHITE HEART", "22423": "A"}


def test_a_line_without_a_name_takes_the_usual_one_or_its_sku(path: Path) -> None:
    records = read(
        path, Given(description="OWN NAME"), Given(description=""), Given(code="22423", description="")
    )

    assert named(order_of(records[0]), {"85123A": "WHITE HEART"}) == ["OWN NAME", "WHITE HEART", "22423"]


def test_only_skus_that_few_orders_and_nothing_else_move_can_be_scarce(path: Path) -> None:
    moved = [
        Given(invoice="C536370", code="22423", quantity=-1),
        Given(invoice="536371", code="22424", quantity=9, price="0.0", customer=""),
        Given(invoice="536372", code="22425", quantity=-9, price="0.0", customer=""),
    ]
    popular = [Given(invoice=str(600_000 + number)) for number in range(4)]
    orders = [Given(invoice=str(700_000 + sku), code=str(sku)) for sku in range(22423, 22428)]

    survey = _survey(path, *popular, *orders, *moved)

    assert survey.scarce_skus("seed", share=Fraction(1)) == ("22426", "22427")


def test_scarce_skus_stop_at_the_share_and_depend_on_the_seed_alone(path: Path) -> None:
    survey = _survey(path, *(Given(invoice=str(600_000 + n), code=str(10_000 + n)) for n in range(100)))

    chosen = survey.scarce_skus("one")

    assert (len(chosen), len(survey.orders_with(chosen))) == (2, 2)
    assert chosen == survey.scarce_skus("one")
    assert len({survey.scarce_skus(str(seed)) for seed in range(20)}) > 10
