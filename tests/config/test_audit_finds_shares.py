"""The audit looks away from a share in doubt only as long as its saga goes on: then somebody finds out."""

from __future__ import annotations

import pytest

from config.audit.listing import Listing
from tests.config.damage import Damage, a_share, damaged, intent
from tests.config.honest_shop import books
from tests.scenarios.fulfilment import sandbox

__all__ = ["books", "sandbox"]

pytestmark = pytest.mark.django_db(transaction=True)

IN_DOUBT = a_share("BITS", 100, "unknown")
#: The payment before its first share is known, as the first parcel leaves it.
CAPTURING = """
UPDATE payments_payment SET state = 'capturing', captured_minor = 0, refunded_minor = 0
 WHERE state = 'partly_captured'"""
OF_LIVE = """
UPDATE payments_capture SET saga_id = (SELECT min(id::text)::uuid FROM sagas_saga WHERE finished_at IS NULL)
 WHERE state = 'unknown'"""
OF_ENDED = """
UPDATE payments_capture SET saga_id = (SELECT min(id::text)::uuid FROM sagas_saga WHERE finished_at IS NOT NULL
                                          AND id NOT IN (SELECT saga_id FROM payments_capture))
 WHERE state = 'unknown'"""
HIDDEN = ["i03b_ledger_equals_provider", "i03c_holds_equal_provider"]


def taken(found: Listing) -> None:
    """The provider has captured the share in doubt."""
    of_bits = intent(found, "BITS")
    of_bits["amount_received"] = int(str(of_bits["amount_received"])) + 100
    of_bits["amount_capturable"] = int(str(of_bits["amount_capturable"])) - 100


@pytest.mark.parametrize("moved", [(), (CAPTURING,)])
def test_while_its_saga_goes_on_a_share_in_doubt_hides_what_it_may_have_done(
    books: Listing, moved: tuple[str, ...]
) -> None:
    found = damaged(books, Damage("", (IN_DOUBT, OF_LIVE, *moved), taken))

    assert not {*HIDDEN, "i08i_open_shares_have_a_saga"}.intersection(found)


@pytest.mark.parametrize("moved", [(), (CAPTURING,)])
@pytest.mark.parametrize("saga", [(), (OF_ENDED,)])
def test_a_share_in_doubt_whose_saga_has_ended_hides_nothing(
    books: Listing, saga: tuple[str, ...], moved: tuple[str, ...]
) -> None:
    found = damaged(books, Damage("", (IN_DOUBT, *saga, *moved), taken))

    assert {*HIDDEN, "i08i_open_shares_have_a_saga"}.issubset(found)


def test_a_share_in_doubt_whose_saga_has_ended_is_told_with_how_it_ended(books: Listing) -> None:
    found = damaged(books, Damage("", (IN_DOUBT, OF_ENDED)))

    [(name, finding)] = found.items()
    assert name == "i08i_open_shares_have_a_saga"
    assert "unknown, comp" in finding.examples[0]
