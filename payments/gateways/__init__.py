"""Payment gateways: one Protocol, one file per vendor, one fake."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any

from payments.gateways.base import PaymentGateway
from payments.gateways.sandbox import SandboxGateway
from sagas.circuits import provider_read
from sagas.resilience.http import HttpClient

_instead: PaymentGateway | None = None
_one_makes_it = Lock()

#: Reads that no step makes: of what is named, and of pages of a list.
RETRIEVE = provider_read("gateway", "retrieve")
LIST = provider_read("gateway", "list")

#: Making a connection may take this share of a call's time; the rest is for the answer.
CONNECT_SHARE = 0.2


def get_gateway() -> PaymentGateway:
    """The gateway the settings name. One per process, so that its connections outlive a batch."""
    if _instead is not None:
        return _instead
    from django.conf import settings

    waybill = settings.WAYBILL
    with _one_makes_it:
        return _gateway(
            waybill.payment_gateway, waybill.sandbox_url, waybill.stripe, waybill.call_timeout_seconds,
            waybill.call_concurrency,
        )  # fmt: skip


def use_gateway(gateway: PaymentGateway | None) -> None:
    """Answer `get_gateway` with this one from now on, or as the settings say. For tests."""
    global _instead  # noqa: PLW0603 - one switch for the whole process
    _instead = gateway


@cache
def _gateway(
    name: str, sandbox_url: str, stripe: Any, call_seconds: float, concurrency: int
) -> PaymentGateway:
    limits: dict[str, Any] = {
        "provider": "gateway", "connect_timeout": call_seconds * CONNECT_SHARE,
        "read_timeout": call_seconds * (1 - CONNECT_SHARE), "pool_size": concurrency,
    }  # fmt: skip
    if name == "sandbox":
        return SandboxGateway(
            HttpClient(sandbox_url, headers={"Authorization": "Bearer sk_sandbox"}, **limits)
        )
    if name == "stripe":
        from payments.gateways.stripe import StripeGateway, stripe_client

        client = HttpClient(stripe.api_base, **limits)
        return StripeGateway(stripe_client(client, api_key=stripe.api_key, api_version=stripe.api_version))
    raise ValueError(f"PAYMENT_GATEWAY names no gateway we have: {name!r}. Known: sandbox, stripe.")
