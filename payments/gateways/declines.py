"""What a bank's decline code means for the customer and the shop.

Waybill itself never tries a decline again. The class is advice for whoever talks to the customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class DeclineClass(StrEnum):
    """What may help."""

    RETRY_LATER = "retry_later"  #: Trouble at the bank or with the moment: the same card may work later.
    ASK_CUSTOMER = (
        "ask_customer"  #: The customer can help: another card, right details, or a proof of who they are.
    )
    FINAL = "final"  #: Do not try this card again, and do not tell the customer why.


_BY_CLASS: Mapping[DeclineClass, tuple[str, ...]] = {
    DeclineClass.RETRY_LATER: (
        "approve_with_id", "card_decline_rate_limit_exceeded", "issuer_not_available", "processing_error",
        "reenter_transaction", "try_again_later",
    ),
    DeclineClass.ASK_CUSTOMER: (
        "account_closed", "authentication_not_handled", "authentication_required", "call_issuer",
        "card_declined", "card_not_supported", "card_velocity_exceeded", "currency_not_supported",
        "do_not_honor", "duplicate_transaction", "expired_card", "generic_decline", "incorrect_address",
        "incorrect_cvc", "incorrect_number", "incorrect_pin", "incorrect_zip", "insufficient_funds",
        "invalid_account", "invalid_amount", "invalid_cvc", "invalid_expiry_month", "invalid_expiry_year",
        "invalid_number", "invalid_pin", "mobile_device_authentication_required",
        "new_account_information_available", "no_action_taken", "not_permitted", "offline_pin_required",
        "online_or_offline_pin_required", "payment_intent_authentication_failure", "pin_try_exceeded",
        "service_not_allowed", "testmode_decline", "transaction_not_allowed",
        "withdrawal_count_limit_exceeded",
    ),
    DeclineClass.FINAL: (
        "do_not_try_again", "fraudulent", "highest_risk_level", "lost_card", "merchant_blacklist",
        "pickup_card", "restricted_card", "revocation_of_all_authorizations", "revocation_of_authorization",
        "security_violation", "stolen_card", "stop_payment_order",
    ),
}  # fmt: skip
CLASSES: Mapping[str, DeclineClass] = {
    code: decline_class for decline_class, codes in _BY_CLASS.items() for code in codes
}


def decline_class(code: str) -> DeclineClass:
    """The class of a decline code. One that nobody knows asks the customer: it is neither repeated nor hidden."""
    return CLASSES.get(code, DeclineClass.ASK_CUSTOMER)
