"""The rows of one new order, column by column as intake leaves them: the audit goes over both alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from orders.contract import FULFIL_ORDER, GOODS, PLACE_ORDER, OrderPlaced
from orders.customers import person_reference
from sagas.ids import operation_key, uuid7

PERSON = """
INSERT INTO sagas_person (id, shop_id, reference, name, email, address, made_at) VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
ORDER = """
INSERT INTO orders_order (id, shop_id, external_reference, version, state, person_id, country, payment_method, currency,
       total_minor, goods_minor, charges_minor, charges, placed_at, received_at, moved_at, fulfilment,
       cancelled_minor, returned_minor, lock_kind, on_hold, hold_reason, hold_owner, needs_attention, attention_reason,
       end_code, cancel_reason)
VALUES (%s, %s, %s, 1, 'draft', %s, %s, %s, %s, %s, %s, 0, '[]', %s, %s, %s, 'orchestration',
       0, 0, '', false, '', '', false, '', '', '')
"""
LINE = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0)"
LINES = """
INSERT INTO orders_orderline (order_id, position, sku, name, kind, quantity, unit_price_minor, tax_minor,
       discount_minor, total_minor, cancelled_quantity, returned_quantity)
VALUES """
EVENT = """
INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)
VALUES (%s, 1, %s, %s, %s, %s, %s, (SELECT max(era) FROM sagas_era), pg_current_xact_id()::text::bigint)
"""
SAGA = """
INSERT INTO sagas_saga (id, definition, version, shop_id, subject_id, reference, search_key, label, amount_minor,
       currency, context, correlation_id, state, hold, hold_reason, hold_owner, stage, epoch, cause, cause_code,
       cause_step, deadline_at, started_at, moved_at, style)
VALUES (%s, %s, 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'pending', 'none', '', '', 0, 0, '', '', '',
       waybill_now() + interval '1 day', %s, %s, 'orchestration')
"""
STEP = """
INSERT INTO sagas_step (id, saga_id, position, direction, name, state, epoch, attempt, tries, intent_number, key,
       verdict, code, detail, memo, result, history, wake_at, worker)
VALUES (%s, %s, 0, 'do', %s, 'due', 0, 0, 0, 1, %s, '', '', '', '{}', '{}', '[]', waybill_now(), '')
"""
ANSWER = """
INSERT INTO sagas_keptanswer (client_id, key, fingerprint, status, headers, body, made_at)
VALUES (%s, %s, %s, 202, %s, %s, %s)
"""

Statement = tuple[str, Sequence[Any]]


@dataclass(frozen=True)
class Rows:
    """One order on its way into the tables."""

    data: Mapping[str, Any]
    shop_id: UUID
    key: str
    order_id: UUID
    person_id: UUID
    saga_id: UUID
    now: datetime

    @classmethod
    def of(cls, data: Mapping[str, Any], headers: Mapping[str, str]) -> Self:
        """The rows of a checked document. The shop and its key come as headers, unproven."""
        shop, key = UUID(headers["X-Shop"]), headers["Idempotency-Key"]
        return cls(data, shop, key, uuid7(), uuid7(), uuid7(), datetime.now(UTC))

    @property
    def reference(self) -> str:
        return str(self.data["external_reference"])

    def statements(self) -> Iterator[Statement]:
        """An insert for each table."""
        lines = self._lines()
        total = sum(line["total_minor"] for line in lines)
        yield PERSON, self._person()
        yield ORDER, self._order(total)
        yield LINES + ", ".join([LINE] * len(lines)), [v for x in lines for v in (self.order_id, *x.values())]
        yield EVENT, self._event(lines, total)
        yield SAGA, self._saga(total)
        yield STEP, self._step()
        yield ANSWER, self._answer()

    def _lines(self) -> list[dict[str, Any]]:
        return [_line(position, sent) for position, sent in enumerate(self.data["lines"], start=1)]

    def _person(self) -> Sequence[Any]:
        customer, address = self.data["customer"], self._address()
        reference = person_reference(customer["reference"], self.reference, address)
        named = (reference, customer["name"], customer["email"], json.dumps(address))
        return (self.person_id, self.shop_id, *named, self.now)

    def _address(self) -> dict[str, str]:
        return {part: value for part, value in self.data["ship_to"].items() if value}

    def _order(self, total: int) -> Sequence[Any]:
        country, method = self.data["ship_to"]["country"], self.data["payment_method"]
        whose = (self.order_id, self.shop_id, self.reference, self.person_id, country, method)
        return (*whose, self.data["currency"], total, total, self.now, self.now, self.now)

    def _event(self, lines: Sequence[dict[str, Any]], total: int) -> Sequence[Any]:
        placed = OrderPlaced(
            order_id=self.order_id, shop_id=self.shop_id, external_reference=self.reference,
            person_id=self.person_id, currency=self.data["currency"], total_minor=total, goods_minor=total,
            charges_minor=0, country=self.data["ship_to"]["country"], payment_method=self.data["payment_method"],
            placed_at=self.now, lines=tuple(lines), charges=(),
        )  # fmt: skip
        told = json.dumps(placed.to_data())
        metadata = json.dumps({"actor": "shop:bench", "correlation_id": str(self.order_id), "led": True})
        return (self.order_id, placed.type, placed.schema_version, told, metadata, self.now)

    def _saga(self, total: int) -> Sequence[Any]:
        context = {
            "person_id": str(self.person_id), "country": self.data["ship_to"]["country"],
            "payment_method": self.data["payment_method"], "total_minor": total,
            "currency": self.data["currency"],
        }  # fmt: skip
        named = (self.reference, self.reference, f"Order {self.reference}", total, self.data["currency"])
        whose = (self.saga_id, FULFIL_ORDER, self.shop_id, self.order_id)
        return (*whose, *named, json.dumps(context), str(self.order_id), self.now, self.now)

    def _step(self) -> Sequence[Any]:
        key = operation_key(self.shop_id, self.reference, PLACE_ORDER)
        return (uuid7(), self.saga_id, PLACE_ORDER, key)

    def _answer(self) -> Sequence[Any]:
        document = json.dumps(self.data, sort_keys=True, default=str)
        fingerprint = hashlib.sha256(document.encode()).hexdigest()
        headers = json.dumps({"Location": f"/api/v1/orders/{self.order_id}"})
        body = json.dumps(self.answer())
        return (self.shop_id, self.key, fingerprint, headers, body, self.now)

    def answer(self) -> dict[str, str]:
        """What the client is told."""
        return {"id": str(self.order_id), "external_reference": self.reference, "state": "draft"}


def _line(position: int, sent: Mapping[str, Any]) -> dict[str, Any]:
    total = sent["quantity"] * sent["unit_price_minor"] + sent["tax_minor"] - sent["discount_minor"]
    return {
        "position": position, "sku": sent["sku"], "name": sent["name"], "kind": GOODS, "quantity": sent["quantity"],
        "unit_price_minor": sent["unit_price_minor"], "tax_minor": sent["tax_minor"],
        "discount_minor": sent["discount_minor"], "total_minor": total,
    }  # fmt: skip
