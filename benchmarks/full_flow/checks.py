"""What must be so after a load: books that balance, the same rows, the same calls. Each tells what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from django.db import connection

from benchmarks.full_flow.rows import differences, said
from benchmarks.full_flow.system import BY_HAND, System
from config.audit import audit
from config.audit.listing import fetch
from config.embedded.state import DATABASE_NAME
from sagas.sql import rows

MOST = 5
PAID = "SELECT provider_id, captured_minor FROM payments_payment WHERE reference LIKE %s"
BOOKED = "SELECT carrier_id, reference FROM shipping_shipment WHERE reference LIKE %s"


def breaches(database: str = DATABASE_NAME) -> list[str]:
    """What the audit finds wrong in a database. What needs the provider's books is left out: there are none."""
    with _looking_at(database):
        found = audit(None)
    return [f"{database}: {f.invariant} {f.promise}: {f.examples}" for f in found if f.breaches]


def other_rows(system: System, name: str, orders: int) -> list[str]:
    """Rows of the first orders of a load that Waybill has left and the bare script has not, or the other way round."""
    references = [f"{name}-{number}" for number in range(orders)]
    with system.connect() as ours, system.connect(BY_HAND) as theirs:
        return differences(said(ours, references), said(theirs, references), limit=MOST)


def other_calls(url: str, ours: str, theirs: str, orders: int) -> list[str]:
    """Calls and effects that the sandbox has noted for an order of ours and not for its twin by hand."""
    pairs = [(_noted(url, f"{ours}-{n}"), _noted(url, f"{theirs}-{n}")) for n in range(orders)]
    return [f"order {n}: {mine} and {other}" for n, (mine, other) in enumerate(pairs) if mine != other][:MOST]


def provider_differs(url: str, prefix: str) -> list[str]:
    """What gateway and carrier have of orders with this prefix and our rows have not, or the other way round."""
    listing = fetch(url)
    taken = {
        (i["id"], i["amount_received"])
        for i in listing.intents
        if i["metadata"].get("reference", "").startswith(prefix)
    }
    sent = {(p["id"], p["reference"]) for p in listing.parcels if p["reference"].startswith(prefix)}
    apart = (taken ^ set(rows(PAID, [f"{prefix}%"]))) | (sent ^ set(rows(BOOKED, [f"{prefix}%"])))
    return [f"not on both sides: {one}" for one in sorted(apart, key=str)[:MOST]]


def _noted(url: str, reference: str) -> dict[str, Any]:
    with urlopen(f"{url}/sandbox/effects?reference={quote(reference)}", timeout=10) as answer:  # noqa: S310 - our own
        noted: dict[str, Any] = json.load(answer)
    # The amounts of twins differ, how often anything was done does not.
    return {
        what: count for what, count in noted.items() if what != "reference" and not what.endswith("_minor")
    }


@contextmanager
def _looking_at(database: str) -> Iterator[None]:
    """Django's connection of this process goes to another database inside the block."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = database
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
