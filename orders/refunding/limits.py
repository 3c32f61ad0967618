"""From which amount on a refund needs a second person."""

from __future__ import annotations

from django.conf import settings


def needs_approval(amount_minor: int, currency: str) -> bool:
    """Whether so much of one order is above the limit of its currency, or above the one for all others."""
    return amount_minor > limit_of(currency)


def limit_of(currency: str) -> int:
    """The most that goes back of one order without a second person, in minor units."""
    found: int = settings.WAYBILL.refund_limits.get(currency, settings.WAYBILL.refund_limit)
    return found
