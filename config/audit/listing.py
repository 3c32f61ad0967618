"""The provider's own list of what it did, fetched page by page over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import urllib3

from sagas.sql import execute

PAGE = 100
TIMEOUT = urllib3.Timeout(connect=2.0, read=15.0)

TABLES = """
CREATE TEMP TABLE provider_intent (id text, status text, currency text, amount bigint, captured bigint, held bigint)
  ON COMMIT DROP;
CREATE TEMP TABLE provider_refund (id text, intent_id text, status text, amount bigint) ON COMMIT DROP;
CREATE TEMP TABLE provider_dispute (id text, intent_id text, status text, currency text, amount bigint) ON COMMIT DROP;
CREATE TEMP TABLE provider_parcel (id text, reference text, status text) ON COMMIT DROP;
"""
INTENTS = "INSERT INTO provider_intent SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"  # noqa: E501
REFUNDS = "INSERT INTO provider_refund SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])"
DISPUTES = "INSERT INTO provider_dispute SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])"  # noqa: E501
PARCELS = "INSERT INTO provider_parcel SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])"


class ProviderSilent(Exception):
    """The provider could not be asked."""


@dataclass
class Listing:
    """Everything the gateway and the carrier say they did."""

    intents: list[dict[str, Any]] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    parcels: list[dict[str, Any]] = field(default_factory=list)
    disputes: list[dict[str, Any]] = field(default_factory=list)


def fetch(url: str) -> Listing:
    """Ask for the whole record. Raises ProviderSilent."""
    pool = urllib3.PoolManager(timeout=TIMEOUT, retries=2)
    try:
        return Listing(
            list(_stripe_pages(pool, f"{url}/v1/payment_intents")),
            list(_stripe_pages(pool, f"{url}/v1/refunds")),
            list(_carrier_pages(pool, f"{url}/carrier/v1/shipments")),
            list(_stripe_pages(pool, f"{url}/v1/disputes")),
        )
    except (urllib3.exceptions.HTTPError, ValueError, KeyError) as error:
        raise ProviderSilent(f"{url}: {type(error).__name__}") from error


def load(listing: Listing) -> None:
    """Put a listing into temporary tables of the caller's transaction."""
    execute(TABLES, prepare=False)
    i, r, p = listing.intents, listing.refunds, listing.parcels
    names = ("id", "status", "currency", "amount", "amount_received", "amount_capturable")
    execute(INTENTS, [[x[n] for x in i] for n in names])
    execute(REFUNDS, [[x[n] for x in r] for n in ("id", "payment_intent", "status", "amount")])
    of_disputes = ("id", "payment_intent", "status", "currency", "amount")
    execute(DISPUTES, [[x[n] for x in listing.disputes] for n in of_disputes])
    execute(PARCELS, [[x[n] for x in p] for n in ("id", "reference", "status")])


def _get(pool: urllib3.PoolManager, url: str, fields: dict[str, str]) -> dict[str, Any]:
    answer = pool.request("GET", url, fields=fields)
    if answer.status != 200:
        raise ValueError(f"{url} answered {answer.status}")
    body: dict[str, Any] = answer.json()
    return body


def _stripe_pages(pool: urllib3.PoolManager, url: str) -> Iterator[dict[str, Any]]:
    fields = {"limit": str(PAGE)}
    while True:
        page = _get(pool, url, fields)
        yield from page["data"]
        if not page["has_more"]:
            return
        fields["starting_after"] = page["data"][-1]["id"]


def _carrier_pages(pool: urllib3.PoolManager, url: str) -> Iterator[dict[str, Any]]:
    fields = {"limit": str(PAGE)}
    while True:
        page = _get(pool, url, fields)
        yield from page["data"]
        if not page["next_cursor"]:
            return
        fields["cursor"] = page["next_cursor"]
