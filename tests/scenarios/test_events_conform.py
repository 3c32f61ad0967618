"""What is really written to the log is what docs/events promises, and none of it is about a person."""

from __future__ import annotations

import json
from typing import Any

from config.events.catalogue import Catalogue, invalid
from sagas.sql import rows
from tests.scenarios.fulfilment import Fulfilment, fulfilment, sandbox

__all__ = ["fulfilment", "sandbox"]


def stored() -> list[tuple[str, int, dict[str, Any]]]:
    found = rows("SELECT type, schema_version, data FROM sagas_event ORDER BY era, xid, position")
    return [(kind, version, json.loads(d) if isinstance(d, str) else d) for kind, version, d in found]


def trade(fulfilment: Fulfilment) -> None:
    """Orders that end in every way, with what goes wrong on the way."""
    fulfilment.shelve(MUG=50, TEA=50)
    fulfilment.given("payments.authorize_payment", "POOR", refuses="lost_card")
    fulfilment.given("shipping.book_shipment", "FAR", refuses="country_not_served")
    fulfilment.given("payments.capture_payment", "LOST", meets="do_then_drop", times=1)
    for reference, pieces in (("SENT", 2), ("BACK", 3), ("POOR", 1), ("FAR", 1), ("NONE", 990), ("LOST", 1)):
        fulfilment.order(reference, MUG=pieces)
    fulfilment.order("GONE", MUG=1)
    fulfilment.order("PART", MUG=2, TEA=2)
    fulfilment.settle()
    fulfilment.cancel("GONE")
    fulfilment.credit("PART", kind="cancellation", amount_minor=500, MUG=1)
    fulfilment.settle()
    fulfilment.hand_over()
    fulfilment.deliver()
    fulfilment.credit("BACK", amount_minor=1000, MUG=2)
    fulfilment.credit(None, amount_minor=250, MUG=1)
    fulfilment.settle()


def test_every_stored_event_conforms_to_its_schema_and_has_no_field_beside_it(fulfilment: Fulfilment) -> None:
    trade(fulfilment)

    schemas = Catalogue().schemas
    wrong = [f"{k}: {error}" for k, version, data in stored() for error in invalid(schemas[k, version], data)]
    beside = [k for k, version, data in stored() if set(data) - set(schemas[k, version]["properties"])]
    text = json.dumps([data for _, _, data in stored()])

    assert (wrong, beside) == ([], [])
    assert len({kind for kind, _, _ in stored()}) >= 25
    assert [word for word in ("Ada Example", "ada@example.org", "Long Road") if word in text] == []
