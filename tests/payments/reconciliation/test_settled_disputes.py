"""What a dispute costs is an expense once: when the provider tells it, or when its settlement report brings it."""

from __future__ import annotations

from pathlib import Path

import pytest

from payments.gateways.base import DisputeStatus
from payments.models import JournalEntry
from payments.queries import trial_balance, unbalanced_entries
from tests.payments.letters import Postman
from tests.payments.reconciliation.desk import Desk
from tests.payments.reconciliation.test_settlement import DAY, take_in


@pytest.fixture
def disputed(desk: Desk, postman: Postman) -> Desk:
    """A captured payment of 10.00 of which a bank wants 3.00; nobody has told us yet."""
    desk.till.captured("A-1")
    intent = desk.payment("A-1").provider_id
    desk.till.gateway.dispute(intent, "dp_1", amount_minor=300, fee_minor=1500, fee_currency="GBP")
    return desk


def told(postman: Postman) -> None:
    postman.tell_of_dispute("dp_1")
    postman.read()


def line(gross: str, fee: str, net: str, payout: str = "po_1") -> str:
    return f"{payout},dp_1,dispute,{gross},{fee},{net},GBP,{DAY}"


def fees() -> tuple[int, int, int]:
    """The expense, what of it is due, and what the bank account has."""
    balance = trial_balance()
    names = ("provider_fees", "provider_fees_due", "bank")
    expense, due, bank = (balance.get((name, "GBP"), 0) for name in names)
    return expense, due, bank


def test_told_first_the_report_clears_what_is_due(disputed: Desk, postman: Postman, tmp_path: Path) -> None:
    told(postman)
    before = fees()

    take_in(disputed, tmp_path, [line("-3.00", "15.00", "-18.00")])

    entry = JournalEntry.objects.get(kind="settlement")
    assert (before, fees()) == ((1500, -1500, 0), (1500, 0, -1800))
    assert (entry.payment_id, entry.shop_id) == (disputed.payment("A-1").id, disputed.payment("A-1").shop_id)
    assert unbalanced_entries() == []


def test_settled_first_the_telling_adds_nothing(disputed: Desk, postman: Postman, tmp_path: Path) -> None:
    take_in(disputed, tmp_path, [line("-3.00", "15.00", "-18.00")])

    told(postman)

    assert fees() == (1500, 0, -1800)


def test_a_report_with_another_fee_has_the_last_word(
    disputed: Desk, postman: Postman, tmp_path: Path
) -> None:
    told(postman)

    take_in(disputed, tmp_path, [line("-3.00", "14.00", "-17.00")])

    assert fees() == (1400, 0, -1700)


def test_a_fee_that_was_given_back_is_settled_in_a_line_of_its_own(
    disputed: Desk, postman: Postman, tmp_path: Path
) -> None:
    told(postman)
    take_in(disputed, tmp_path, [line("-3.00", "15.00", "-18.00")])
    disputed.till.gateway.happen("dp_1", status=DisputeStatus.WON, fee_minor=0, fee_currency="")
    told(postman)
    between = fees()

    take_in(disputed, tmp_path, [line("3.00", "-15.00", "18.00", "po_2")], name="february.csv")

    assert (between, fees()) == ((0, 1500, -1800), (0, 0, 0))
