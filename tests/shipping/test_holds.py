"""F34: no parcel is offered to the carrier while a bank disputes the payment, unless a person let it go."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from orders.contract import OrderAttentionCleared
from payments.contract import DisputeClosed, DisputeOpened, DisputeProgressed
from sagas.events import Event
from sagas.ids import uuid7
from sagas.log import Recorded, Token
from shipping.commands import pick_up
from shipping.models import Hold, Shipment
from shipping.receivers import on_holds
from tests.shipping.dock import Dock

pytestmark = pytest.mark.django_db
State = Shipment.State
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def fact(kind: type[Event], dock: Dock, dispute: UUID, **more: Any) -> Event:
    """What payments tells of a dispute about the payment of A-1."""
    known = {
        "payment_id": uuid7(), "order_id": dock.id("A-1"), "shop_id": dock.shop_id, "amount_minor": 1000,
        "currency": "GBP", "dispute_id": dispute, "provider_dispute": "dp_1", "inquiry": False,
    }  # fmt: skip
    return kind(**known, **more)


def opened(dock: Dock, dispute: UUID) -> Event:
    return fact(DisputeOpened, dock, dispute, reason="fraud", evidence_due_by=AT, opened_at=AT)


def reviewed(dock: Dock, dispute: UUID) -> Event:
    return fact(DisputeProgressed, dock, dispute, state="under_review", evidence_due_by=AT)


def closed(dock: Dock, dispute: UUID, outcome: str) -> Event:
    return fact(DisputeClosed, dock, dispute, outcome=outcome)


def cleared(dock: Dock) -> Event:
    return OrderAttentionCleared(order_id=dock.id("A-1"), shop_id=dock.shop_id)


def tell(dock: Dock, *told: tuple[int, Event]) -> None:
    """Deliver events with their versions, each in a batch of its own."""
    for version, event in told:
        recorded = Recorded(Token(1, 1, version), uuid7(), version, "of no interest", event, {}, AT)
        on_holds(events=[recorded], now=dock.clock.now)


def left(dock: Dock) -> bool:
    """Whether the parcel leaves, when the carrier comes now."""
    pick_up(dock.carrier, now=dock.clock.now)
    return dock.state("A-1") == State.HANDED_OVER


def ready(dock: Dock) -> None:
    dock.book("A-1")
    dock.confirm("A-1")


@pytest.mark.parametrize(("outcome", "leaves"), [("won", True), ("lost", False)])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_f34_it_leaves_once_the_dispute_is_won_in_whatever_order_that_is_told(
    dock: Dock, order: tuple[int, ...], outcome: str, leaves: bool
) -> None:
    ready(dock)
    dispute = uuid7()
    facts = [(3, opened(dock, dispute)), (4, reviewed(dock, dispute)), (5, closed(dock, dispute, outcome))]

    tell(dock, *(facts[place] for place in order))

    assert left(dock) == leaves


@pytest.mark.parametrize("versions", [(3,), (4,), (3, 4), (4, 3)])
def test_f34_it_stays_while_the_bank_decides(dock: Dock, versions: tuple[int, ...]) -> None:
    ready(dock)
    dispute = uuid7()
    facts = {3: opened(dock, dispute), 4: reviewed(dock, dispute)}

    tell(dock, *((version, facts[version]) for version in versions))

    assert not left(dock)


def test_f34_a_parcel_that_is_made_later_stays_too(dock: Dock) -> None:
    tell(dock, (3, opened(dock, uuid7())))
    ready(dock)

    assert not left(dock)


def test_other_orders_are_not_touched(dock: Dock) -> None:
    dock.book("A-1", "A-2")
    dock.confirm("A-1", "A-2")
    tell(dock, (3, opened(dock, uuid7())))

    pick_up(dock.carrier, now=dock.clock.now)

    assert (dock.state("A-1"), dock.state("A-2")) == (State.LABEL_BOUGHT, State.HANDED_OVER)


def test_a_person_lets_it_go_and_a_review_changes_nothing_of_that(dock: Dock) -> None:
    ready(dock)
    dispute = uuid7()
    tell(dock, (3, opened(dock, dispute)), (9, cleared(dock)), (4, reviewed(dock, dispute)))

    assert left(dock)


def test_what_comes_after_a_person_has_looked_holds_it_again(dock: Dock) -> None:
    ready(dock)
    dispute = uuid7()
    tell(dock, (3, opened(dock, dispute)), (9, cleared(dock)), (5, closed(dock, dispute, "lost")))

    assert not left(dock)


def test_two_disputes_hold_it_until_both_are_won(dock: Dock) -> None:
    ready(dock)
    one, two = uuid7(), uuid7()
    tell(dock, (3, opened(dock, one)), (4, opened(dock, two)), (5, closed(dock, one, "won")))
    between = left(dock)

    tell(dock, (6, closed(dock, two, "won")))

    assert (between, left(dock)) == (False, True)
    assert not Hold.objects.filter(held=True).exists()
