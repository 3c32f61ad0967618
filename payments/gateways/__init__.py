"""Payment gateways: one Protocol, one file per vendor, one fake."""

from __future__ import annotations

from functools import cache

from payments.gateways.base import PaymentGateway
from payments.gateways.sandbox import SandboxGateway
from sagas.resilience.http import HttpClient

_instead: PaymentGateway | None = None

#: Making a connection may take this share of a call's time; the rest is for the answer.
CONNECT_SHARE = 0.2


def get_gateway() -> PaymentGateway:
    """The gateway the settings name. One per process, so that its connections outlive a batch."""
    if _instead is not None:
        return _instead
    from django.conf import settings

    waybill = settings.WAYBILL
    return _gateway(
        waybill.payment_gateway, waybill.sandbox_url, waybill.call_timeout_seconds, waybill.call_concurrency
    )


def use_gateway(gateway: PaymentGateway | None) -> None:
    """Answer `get_gateway` with this one from now on, or as the settings say. For tests."""
    global _instead  # noqa: PLW0603 - one switch for the whole process
    _instead = gateway


@cache
def _gateway(name: str, url: str, call_seconds: float, concurrency: int) -> PaymentGateway:
    if name != "sandbox":
        raise ValueError(f"PAYMENT_GATEWAY names no gateway we have: {name!r}. Known: sandbox.")
    client = HttpClient(
        url, provider="gateway", connect_timeout=call_seconds * CONNECT_SHARE,
        read_timeout=call_seconds * (1 - CONNECT_SHARE), pool_size=concurrency,
        headers={"Authorization": "Bearer sk_sandbox"},
    )  # fmt: skip
    return SandboxGateway(client)
