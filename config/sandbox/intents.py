"""What an intent looks like, and what its parameters say, in Stripe's wire format."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import Any

from config.sandbox.wire import Turned, gateway_error, whole_number

MOST_AMOUNT = 99_999_999_999
#: What every intent has at Stripe and never anything but null here.
UNUSED = dict.fromkeys((
    "application", "application_fee_amount", "customer", "on_behalf_of", "processing", "receipt_email",
    "review", "setup_future_usage", "shipping", "source", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_data", "transfer_group",
))  # fmt: skip


def new_intent(params: dict[str, Any], metadata: Any, now: float) -> dict[str, Any]:
    """A checked, unconfirmed intent. Turns bad parameters away with a 400."""
    amount = whole_number(params.get("amount"), least=1, most=MOST_AMOUNT)
    if amount is None:
        raise Turned(
            gateway_error(400, "parameter_invalid_integer", "amount must be 1 or more.", param="amount")
        )
    currency = str(params.get("currency", "")).lower()
    if not re.fullmatch("[a-z]{3}", currency):
        raise Turned(gateway_error(400, "parameter_missing", "currency is three letters.", param="currency"))
    if not isinstance(metadata, dict):
        raise Turned(gateway_error(400, "parameter_invalid", "metadata is an object.", param="metadata"))
    method = params.get("capture_method", "automatic")
    if method not in {"automatic", "automatic_async", "manual"}:
        raise Turned(
            gateway_error(400, "parameter_invalid", "Unknown capture_method.", param="capture_method")
        )
    ident = f"pi_{token_hex(12)}"
    card = params.get("payment_method")
    return {
        **UNUSED, "id": ident, "object": "payment_intent", "amount": amount, "amount_capturable": 0,
        "amount_received": 0, "automatic_payment_methods": automatic_methods(params),
        "canceled_at": None, "cancellation_reason": None,
        "capture_method": "manual" if method == "manual" else "automatic",
        "client_secret": f"{ident}_secret_{token_hex(12)}", "confirmation_method": "automatic",
        "created": int(now),
        "currency": currency, "description": params.get("description"), "last_payment_error": None,
        "latest_charge": None, "livemode": False, "metadata": {str(k): str(v) for k, v in metadata.items()},
        "next_action": None, "payment_method": card, "payment_method_options": options_in(params),
        "payment_method_types": ["card"],
        "status": "requires_confirmation" if card else "requires_payment_method",
    }  # fmt: skip


def captures(several: str) -> dict[str, Any]:
    """What an intent says of being captured several times: if_available, or never."""
    return {"card": {"request_multicapture": several}}


def options_in(params: dict[str, Any]) -> dict[str, Any]:
    """How the card is to be used, as far as it was asked for and is known here."""
    return (
        captures("if_available") if params.get("payment_method_options") == captures("if_available") else {}
    )


def is_final(params: dict[str, Any]) -> bool:
    """Whether a capture lets go of the rest of the hold."""
    return str(params.get("final_capture", "true")).lower() != "false"


def is_release(params: dict[str, Any]) -> bool:
    """Whether a capture takes nothing and only ends the hold."""
    return str(params.get("amount_to_capture", "")) == "0" and is_final(params)


def automatic_methods(params: dict[str, Any]) -> dict[str, Any] | None:
    """The choice of ways to pay, as it was asked for."""
    asked = params.get("automatic_payment_methods")
    if not isinstance(asked, dict):
        return None
    return {
        "enabled": str(asked.get("enabled", "")).lower() == "true",
        "allow_redirects": str(asked.get("allow_redirects", "always")),
    }
