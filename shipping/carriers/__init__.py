"""Carriers: one Protocol, one file per vendor, one fake."""

from __future__ import annotations

from functools import cache

from sagas.circuits import provider_read, provider_write
from sagas.resilience.http import HttpClient
from shipping.carriers.base import Carrier
from shipping.carriers.http import HttpCarrier

_instead: Carrier | None = None

SANDBOX_TOKEN = "sk_sandbox"  # noqa: S105 - the sandbox lets everybody in
#: A read that no step makes: how far a parcel has come.
TRACK = provider_read("carrier", "track")
#: A write that no step makes: giving back a label too many.
VOID_SURPLUS = provider_write("carrier", "void_surplus")
#: Making a connection may take this share of a call's time; the rest is for the answer.
CONNECT_SHARE = 0.2


def get_carrier() -> Carrier:
    """The carrier the settings name. One per process, so that its connections outlive a batch."""
    if _instead is not None:
        return _instead
    from django.conf import settings

    waybill, account = settings.WAYBILL, settings.WAYBILL.carrier_account
    return _carrier(
        account.url if account else waybill.sandbox_url,
        account.token if account else SANDBOX_TOKEN,
        waybill.call_timeout_seconds,
        waybill.call_concurrency,
    )


def use_carrier(carrier: Carrier | None) -> None:
    """Answer `get_carrier` with this one from now on, or as the settings say. For tests."""
    global _instead  # noqa: PLW0603 - one switch for the whole process
    _instead = carrier


@cache
def _carrier(url: str, token: str, call_seconds: float, concurrency: int) -> Carrier:
    client = HttpClient(
        url, provider="carrier", connect_timeout=call_seconds * CONNECT_SHARE,
        read_timeout=call_seconds * (1 - CONNECT_SHARE), pool_size=concurrency,
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    return HttpCarrier(client)
