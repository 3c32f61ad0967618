"""Correcting where an order goes: while its booking waits for that, or before the carrier was asked at all.

An order in parcels waits for nothing: what its carrier does not find is free again, and goes to the corrected address
when somebody asks for it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import queries, repository
from orders.aggregate import Order, OrderNotFound
from orders.customers import customer_in, is_set_apart, person_reference
from orders.intake import check_destination
from orders.models import Order as OrderRecord
from orders.parcelling.claims import Claims
from orders.parcelling.rules import free_of
from orders.parcelling.states import State as Parcel
from orders.states import State
from sagas.definition import SagaNote
from sagas.engine import Anew
from sagas.engine.anew import IN_TIME, Standing
from sagas.people import PersonData, hold_customers, move_person, read_people, remember_people
from sagas.verdicts import Refused
from shipping.contract import ADDRESS_TO_CORRECT, BOOK_SHIPMENT

#: Who is called: whoever can ask the customer.
OWNER = "support"


class AddressFixed(Refused):
    """It is too late: a label was bought, or the order has ended or is being given back."""

    code = "orders.address_fixed"


class AddressInUse(Refused):
    """The carrier is being asked with the present address just now. In a moment it is known what came of it."""

    code = "orders.address_in_use"


class PersonErased(Refused):
    """The customer's data are gone, and nothing may be kept for this order in their place."""

    code = "orders.person_erased"


@dataclass(frozen=True, slots=True)
class AddressCorrection:
    """The address is corrected. `asked_again`: the booking had been refused, and the carrier is asked anew."""

    order_id: UUID
    state: str
    asked_again: bool


def correct_address(
    order_id: UUID,
    parts: Mapping[str, str],
    *,
    actor: str,
    reason: str,
    now: datetime,
    shop_id: UUID | None = None,
    correlation_id: str = "",
) -> AddressCorrection:
    """Correct these parts of where an order goes; an empty text takes a part out. The country stays as it is.

    The booking goes on with a new request; parcels that are asked for from now on go there. Other orders of the
    customer keep their address. Raises OrderNotFound (also for another shop's order), InvalidOrder (AddressEmpty if no
    street and no place is left), AddressFixed, AddressInUse or PersonErased. Publishes AddressCorrected, in which
    nothing of the address stands.
    """
    with transaction.atomic():
        anew = Anew(_saga_of(order_id, shop_id), BOOK_SHIPMENT)
        order = repository.load([order_id], with_lines=True)[order_id]
        _check_in_time(order, anew.standing)
        person = _person_at(order, parts, now)
        asked_again = anew.standing == "waits"
        order.correct_address(person, now=now)
        if anew.standing in IN_TIME:
            anew.begin({"person_id": str(person)})
        repository.save([order], now=now, actor=actor, reason=reason, correlations={order_id: correlation_id})
        return AddressCorrection(order_id, order.state, asked_again)


def hold_for_address(notes: Sequence[SagaNote], *, now: datetime) -> None:
    """Put orders on hold whose sagas wait for a corrected address, in the engine's transaction. Safe to repeat."""
    waiting = {note.subject_id: note for note in notes if note.reason == ADDRESS_TO_CORRECT}
    orders = repository.load(waiting) if waiting else {}
    for order in orders.values():
        if order.state is State.PENDING:
            order.need_attention(ADDRESS_TO_CORRECT, on_hold=True, owner=OWNER, now=now)
    repository.save(orders.values(), now=now)


def _saga_of(order_id: UUID, shop_id: UUID | None) -> UUID:
    """The saga has to be locked before its order, so this looks without a lock; what it looks at never changes."""
    owner = OrderRecord.objects.filter(pk=order_id).values_list("shop_id", flat=True).first()
    if owner is None or shop_id not in (None, owner):
        raise OrderNotFound
    return queries.fulfilment_saga(order_id)


def _check_in_time(order: Order, standing: Standing) -> None:
    if order.in_parcels and order.state in (State.CONFIRMED, State.PROCESSING):
        _check_parcels(order)
        return
    if order.state not in (State.DRAFT, State.PENDING):
        raise AddressFixed(detail=f"{order.external_reference} is {order.state}")
    if standing == "over":
        raise AddressFixed(detail=f"{order.external_reference} has its label, or was given up")
    if standing == "busy":
        raise AddressInUse(detail=f"the carrier is being asked about {order.external_reference}")


def _check_parcels(order: Order) -> None:
    """A parcel that is asked for from now on goes there; one that has its label went to the present address."""
    claims = Claims([order.id])
    under_way = [claim for claim in claims.of(order.id) if claim.state is Parcel.CLAIMED]
    if under_way:
        raise AddressInUse(detail=f"parcel {under_way[0].number} of {order.external_reference} is under way")
    if not free_of(order.lines.values(), claims.standing(order.id)):
        raise AddressFixed(detail=f"every parcel of {order.external_reference} has its label")


def _person_at(order: Order, parts: Mapping[str, str], now: datetime) -> UUID:
    """The same customer at the corrected address: another row, so that no other order is redirected.

    Who is to be erased after this order keeps the row that waits for it.
    """
    if order.person_id is None:
        raise PersonErased
    hold_customers([order.person_id])
    person = read_people([order.person_id])[order.person_id]  # as an erasure before this one has left it
    address = {name: text for name, text in {**person.address, **parts}.items() if text.strip()}
    check_destination(address)
    if is_set_apart(person.reference):
        if not move_person(order.person_id, address):
            raise PersonErased
        return order.person_id
    reference = person_reference(customer_in(person.reference), order.external_reference, address)
    moved = PersonData(order.shop_id, reference, person.name, person.email, address)
    return remember_people([moved], now=now)[0]
