"""What a shop sends, checked, and turned into the fact that an order was placed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from orders.contract import GOODS, ORCHESTRATION, OrderPlaced
from orders.customers import person_reference
from orders.totals import ChargeInput, InvalidOrder, LineInput, Totals, total_up
from sagas.people import PersonData

#: Control characters and lone surrogates: no database and no parcel label can hold them.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
COUNTRY = re.compile(r"[A-Z]{2}")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

#: How far a shop's clock may run ahead of ours.
CLOCK_TOLERANCE = timedelta(days=1)

MOST_ADDRESS_PARTS = 20
#: Parts of an address that lead nowhere by themselves.
NOWHERE = frozenset({"country", "name", "phone"})

#: What of a placed order tells it from another under the same reference.
COMPARED = (
    "currency", "total_minor", "country", "payment_method", "lines", "charges", "ship_in_parcels",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """An order as a shop sends it. Amounts in minor units; `country` is ISO 3166, "ZZ" when unstated.

    `customer_reference` is the shop's own name for the customer, "" for a guest. `expected_total_minor` is
    what the shop has shown to the customer: with another sum the order is refused. `fulfilment` is who leads
    it: orchestration or choreography. With `ship_in_parcels` each parcel that is asked for later takes its own share.
    """

    shop_id: UUID
    external_reference: str
    currency: str
    lines: Sequence[LineInput]
    charges: Sequence[ChargeInput] = ()
    expected_total_minor: int | None = None
    country: str
    payment_method: str
    placed_at: datetime
    customer_reference: str = ""
    name: str = ""
    email: str = ""
    address: Mapping[str, str] = field(default_factory=dict)
    fulfilment: str = ORCHESTRATION
    ship_in_parcels: bool = False

    @property
    def key(self) -> tuple[UUID, str]:
        """What makes it the same order when it is sent again."""
        return self.shop_id, self.external_reference

    def check(self, *, now: datetime) -> Totals:
        """The order's totals. Raises InvalidOrder with a stable code for anything that cannot be taken."""
        _check_texts(self)
        _check_placed_at(self.placed_at, now)
        if self.ship_in_parcels:
            _check_parcels(self)
        return total_up(self.lines, self.charges, currency=self.currency, expected=self.expected_total_minor)

    def person(self) -> PersonData:
        """Whom to ship to. One row per customer and address: no order redirects another one's parcel."""
        reference = person_reference(self.customer_reference, self.external_reference, self.address)
        return PersonData(self.shop_id, reference, self.name, self.email, dict(self.address))

    def placed(self, order_id: UUID, person_id: UUID, totals: Totals) -> OrderPlaced:
        """The fact. Lines are numbered from 1 in the order they were sent."""
        return OrderPlaced(
            order_id=order_id,
            shop_id=self.shop_id,
            external_reference=self.external_reference,
            person_id=person_id,
            currency=self.currency,
            total_minor=totals.total_minor,
            goods_minor=totals.goods_minor,
            charges_minor=totals.charges_minor,
            country=self.country,
            payment_method=self.payment_method,
            placed_at=self.placed_at.astimezone(UTC),
            lines=tuple(_line(position, line) for position, line in enumerate(self.lines, start=1)),
            charges=tuple({"kind": c.kind, "amount_minor": c.amount_minor} for c in self.charges),
            fulfilment=self.fulfilment,
            ship_in_parcels=self.ship_in_parcels,
        )

    def says_the_same(self, placed: OrderPlaced, person: str, *, now: datetime) -> bool:
        """Whether the order that was `placed` for this person ("" if erased) is this one, sent again.

        Goods, prices, charges, payment and where it goes count. When it was ordered and who leads it may be left
        out and are then filled in, so they do not; nor does the customer's name, which may have been corrected.
        """
        again = self.placed(placed.order_id, placed.person_id, self.check(now=now))
        same = all(getattr(again, name) == getattr(placed, name) for name in COMPARED)
        return same and person in ("", self.person().reference)


def _line(position: int, line: LineInput) -> dict[str, object]:
    return {
        "position": position,
        "sku": line.sku,
        "name": line.name,
        "kind": line.kind,
        "quantity": line.quantity,
        "unit_price_minor": line.unit_price_minor,
        "tax_minor": line.tax_minor,
        "discount_minor": line.discount_minor,
        "total_minor": line.total_minor,
    }


def _check_texts(order: PlaceOrder) -> None:
    _text(order.external_reference, "external_reference", least=1, most=100)
    _text(order.payment_method, "payment_method", least=1, most=100)
    _text(order.customer_reference, "customer.reference", most=150)
    _text(order.name, "customer.name", most=300)
    _text(order.email, "customer.email", most=320)
    if not COUNTRY.fullmatch(order.country):
        raise InvalidOrder("orders.country_invalid", "The country must be two capital letters (ISO 3166).")
    check_address(order.address)
    for position, line in enumerate(order.lines, start=1):
        _text(line.sku, f"lines[{position}].sku", least=1, most=100)
        _text(line.name, f"lines[{position}].name", most=300)


class AddressEmpty(InvalidOrder):
    """Nothing of the address says where to go in its country."""

    code = "orders.address_empty"


def check_destination(address: Mapping[str, str]) -> None:
    """As `check_address`; and raise AddressEmpty for one that leads nowhere."""
    check_address(address)
    if not any(text.strip() for part, text in address.items() if part not in NOWHERE):
        raise AddressEmpty(detail="Neither a street nor a place is left.")


def check_address(address: Mapping[str, str]) -> None:
    """Raise InvalidOrder for an address that no parcel label can hold."""
    if len(address) > MOST_ADDRESS_PARTS:
        raise InvalidOrder("orders.text_invalid", f"An address has at most {MOST_ADDRESS_PARTS} parts.")
    for part, value in address.items():
        _text(part, "ship_to", least=1, most=50)
        _text(value, f"ship_to.{part}", most=300)


def _text(value: str, where: str, *, least: int = 0, most: int) -> None:
    if not isinstance(value, str) or not least <= len(value) <= most or UNPRINTABLE.search(value):
        raise InvalidOrder("orders.text_invalid", f"{where} must be {least} to {most} printable characters.")


def _check_parcels(order: PlaceOrder) -> None:
    """Somebody has to lead them, and everything that is paid for has to leave in one."""
    if order.fulfilment != ORCHESTRATION:
        raise InvalidOrder("orders.parcels_need_a_leader", "An order in parcels is led by the engine.")
    if any(line.kind != GOODS for line in order.lines):
        raise InvalidOrder("orders.parcels_hold_goods", "An order in parcels has lines of goods only.")


def _check_placed_at(placed_at: datetime, now: datetime) -> None:
    if placed_at.tzinfo is None or not EARLIEST <= placed_at <= now + CLOCK_TOLERANCE:
        raise InvalidOrder("orders.placed_at_invalid", "placed_at must have a time zone and not lie ahead.")
