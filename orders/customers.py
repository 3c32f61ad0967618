"""How a shop's customers are called among all people: one row per customer and address."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from sagas.people import ERASED

GUEST = "guest/"
#: Each address of a customer is a person of their own, told apart by so many digits.
ADDRESS_DIGITS = 16


def person_reference(customer: str, order: str, address: Mapping[str, str]) -> str:
    """The reference of the person an order goes to. A guest (customer "") is known by the order."""
    written = json.dumps(dict(address), sort_keys=True)
    where = hashlib.sha256(written.encode()).hexdigest()[:ADDRESS_DIGITS]
    return f"{customer or GUEST + order}/{where}"


def is_set_apart(reference: str) -> bool:
    """Whether the person with this reference was erased, or will be as soon as nothing open needs them."""
    return reference.startswith(ERASED)


def customer_in(reference: str) -> str:
    """The shop's own name for the customer in such a reference, "" for a guest and for somebody who was erased."""
    return "" if reference.startswith((GUEST, ERASED)) else reference.rpartition("/")[0]
