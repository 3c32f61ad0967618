"""The flow in SQL: a transaction for each step of a batch, one statement for each table that the step writes.

Parameters are the columns of `batch.columns`, sent in binary. What one column has for the whole batch is one value.
Rows of stock are locked by SKU before they are changed, and changed last. What an event says is built here, from the
columns that the rows are made of: it costs a fraction of making and reading JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Types of the columns that a statement may ask for.
TYPES: Mapping[str, str] = {
    **dict.fromkeys(("total", "line_price", "taken"), "bigint"),
    **dict.fromkeys(("pieces", "line_position", "line_quantity"), "int"),
    **dict.fromkeys(
        ("reference", "person_reference", "name", "email", "address", "skus", "placed_lines", "held_lines",
         "sent_lines", "line_sku", "sku", "intent", "label", "tracking"), "text"),
}  # fmt: skip


def _columns(*names: str) -> str:
    """The table of these columns, as `u`."""
    arrays = ", ".join(f"%({name})b::{TYPES.get(name, 'uuid')}[]" for name in names)
    return f"unnest({arrays}) AS u (" + ", ".join(f'"{name}"' for name in names) + ")"


def _event(kind: str, version: int, stream: str, data: str, *names: str, of: int = 1) -> str:
    """One event for each order. `data` are the arguments of jsonb_build_object besides the order and the shop."""
    actor = "api" if kind == "orders.OrderPlaced" else "system"
    led = "" if kind == "inventory.StockAllocated" else '"led": true, '  # a reader's own event is not marked
    return f"""
INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)
SELECT u."{stream}", {version}, '{kind}', {of},
       jsonb_build_object('order_id', u."order", 'shop_id', %(shop)b::uuid{", " * bool(data)}{data}),
       '{{{led}"actor": "{actor}"}}', now(), 1, pg_current_xact_id()::text::bigint
  FROM {_columns(*dict.fromkeys(("order", stream, *names)))}
"""  # noqa: S608 - constants


def _step(step: str, position: int, *names: str, memo: str = "'{}'", result: str = "'{}'", where: str) -> str:
    """The row of one step of the saga, done."""
    return f"""
INSERT INTO sagas_step (id, saga_id, position, direction, name, state, epoch, attempt, tries, intent_number, key,
       verdict, code, detail, memo, result, history, worker, began_at, finished_at)
SELECT u.{step}_step, u.saga, {position}, 'do', %({step}_name)b, 'done', 0, 1, 0, 1, u.{step}_key,
       'done', '', '', {memo}, {result}, %({where})b::jsonb, '', now(), now()
  FROM {_columns(f"{step}_step", "saga", f"{step}_key", *names)}
"""  # noqa: S608 - constants


def _entry(entry: str, kind: str) -> str:
    return f"""
INSERT INTO payments_journalentry (id, kind, source_id, shop_id, order_id, payment_id, at)
SELECT u.{entry}, '{kind}', u.payment, %(shop)b, u."order", u.payment, now()
  FROM {_columns(entry, "payment", "order")}
"""  # noqa: S608 - constants


def _entry_lines(entry: str, lines: str) -> str:
    return f"""
INSERT INTO payments_journalline (entry_id, account, currency, amount_minor)
SELECT u.{entry}, l.account, %(currency)b, l.sign * u.total
  FROM {_columns(entry, "total")} CROSS JOIN (VALUES {lines}) AS l (account, sign)
"""  # noqa: S608 - constants


PEOPLE = f"""
INSERT INTO sagas_person (id, shop_id, reference, name, email, address, made_at)
SELECT u.person, %(shop)b, u.person_reference, u.name, u.email, u.address::jsonb, now()
  FROM {_columns("person", "person_reference", "name", "email", "address")}
"""  # noqa: S608 - constants
ORDERS = f"""
INSERT INTO orders_order (id, shop_id, external_reference, version, state, person_id, country, payment_method,
       fulfilment, currency, total_minor, goods_minor, charges_minor, cancelled_minor, returned_minor, charges,
       lock_saga, lock_kind, lock_since, on_hold, hold_reason, hold_owner, needs_attention, attention_reason, end_code,
       cancel_reason, placed_at, received_at, moved_at)
SELECT u."order", %(shop)b, u.reference, 2, 'pending', u.person, %(country)b, %(card)b, 'orchestration', %(currency)b,
       u.total, u.total, 0, 0, 0, '[]', u.saga, 'fulfil', now(), false, '', '', false, '', '', '', %(placed_at)b,
       now(), now()
  FROM {_columns("order", "reference", "person", "total", "saga")}
"""  # noqa: S608 - constants
ORDER_LINES = f"""
INSERT INTO orders_orderline (order_id, position, sku, name, kind, quantity, unit_price_minor, tax_minor,
       discount_minor, total_minor, cancelled_quantity, returned_quantity)
SELECT u.line_order, u.line_position, u.line_sku, u.line_sku, 'goods', u.line_quantity, u.line_price, 0, 0,
       u.line_quantity * u.line_price, 0, 0
  FROM {_columns("line_order", "line_position", "line_sku", "line_quantity", "line_price")}
"""  # noqa: S608 - constants
SAGAS = f"""
INSERT INTO sagas_saga (id, definition, version, shop_id, subject_id, reference, search_key, label, amount_minor,
       currency, context, correlation_id, state, hold, hold_reason, hold_owner, stage, epoch, cause, cause_code,
       cause_step, deadline_at, started_at, moved_at, style)
SELECT u.saga, 'orders.fulfil_order', 1, %(shop)b, u."order", u.reference, u.reference, 'Order ' || u.reference,
       u.total, %(currency)b,
       jsonb_build_object('person_id', u.person, 'country', %(country)b::text, 'payment_method', %(card)b::text,
                          'total_minor', u.total, 'currency', %(currency)b::text),
       '', 'running', 'none', '', '', 1, 0, '', '', '', now() + interval '1 day', now(), now(), 'orchestration'
  FROM {_columns("saga", "order", "reference", "total", "person")}
"""  # noqa: S608 - constants
PLACED = """
'external_reference', u.reference, 'person_id', u.person, 'currency', %(currency)b::text, 'total_minor', u.total,
'goods_minor', u.total, 'charges_minor', 0, 'country', %(country)b::text, 'payment_method', %(card)b::text,
'placed_at', %(placed_iso)b::text, 'lines', u.placed_lines::jsonb, 'charges', '[]'::jsonb,
'fulfilment', 'orchestration', 'ship_in_parcels', false
"""

PAYMENTS = f"""
INSERT INTO payments_payment (id, saga_id, order_id, shop_id, reference, currency, amount_minor, state, unknown_of,
       mismatch, provider_id, authorized_minor, captured_minor, refunding_minor, refunded_minor, code, version, made_at,
       moved_at)
SELECT u.payment, u.saga, u."order", %(shop)b, u.reference, %(currency)b, u.total, 'authorized', '', '', u.intent,
       u.total, 0, 0, 0, '', 1, now(), now()
  FROM {_columns("payment", "saga", "order", "reference", "total", "intent")}
"""  # noqa: S608 - constants
PAYMENT = "'payment_id', u.payment, 'amount_minor', u.total, 'currency', %(currency)b::text"

LOCK_STOCK = """
SELECT FROM inventory_stock WHERE location_id = %(location)b AND sku = ANY(%(sku)b::text[])
 ORDER BY location_id, sku FOR NO KEY UPDATE
"""
RESERVATIONS = f"""
INSERT INTO inventory_reservation (id, key, shop_id, order_id, state, expires_at, applied, version, made_at, moved_at)
SELECT u.reservation, u.reserve_key, %(shop)b, u."order", 'held', now() + interval '7 days', '{{}}', 1, now(), now()
  FROM {_columns("reservation", "reserve_key", "order")}
"""  # noqa: S608 - constants
RESERVATION_LINES = f"""
INSERT INTO inventory_reservationline (reservation_id, sku, location_id, quantity, withdrawn, consumed)
SELECT u.line_reservation, u.line_sku, %(location)b, u.line_quantity, 0, 0
  FROM {_columns("line_reservation", "line_sku", "line_quantity")}
"""  # noqa: S608 - constants
RESERVED = (
    "'reservation_id', u.reservation, 'expires_at', now() + interval '7 days', 'lines', u.held_lines::jsonb"
)
# The database refuses to promise more than there is.
HOLD = f"""
UPDATE inventory_stock s SET held = s.held + u.taken
  FROM {_columns("sku", "taken")} WHERE s.location_id = %(location)b AND s.sku = u.sku
"""  # noqa: S608 - constants

SHIPMENTS = f"""
INSERT INTO shipping_shipment (id, key, keys, shop_id, order_id, reference, location_id, country, state, code,
       carrier_id, tracking, price_minor, surplus, applied, stop_reason, stop_version, version, made_at, moved_at)
SELECT u.shipment, u.book_key, ARRAY[u.book_key], %(shop)b, u."order", u.reference, %(location)b, %(country)b,
       'label_bought', '', u.label, u.tracking, %(price)b, '{{}}', '{{}}', '', 0, 1, now(), now()
  FROM {_columns("shipment", "book_key", "order", "reference", "label", "tracking")}
"""  # noqa: S608 - constants
SHIPMENT_LINES = f"""
INSERT INTO shipping_shipmentline (shipment_id, sku, quantity, withdrawn)
SELECT u.line_shipment, u.line_sku, u.line_quantity, 0
  FROM {_columns("line_shipment", "line_sku", "line_quantity")}
"""  # noqa: S608 - constants
BOOKED = "'shipment_id', u.shipment, 'tracking', u.tracking, 'lines', u.sent_lines::jsonb"

CAPTURE = """
UPDATE payments_payment SET state = 'captured', captured_minor = amount_minor, version = 2, moved_at = now()
 WHERE id = ANY(%(payment)b::uuid[])
"""
CONFIRM = """
UPDATE orders_order SET state = 'confirmed', version = 3, lock_saga = NULL, lock_kind = '', lock_since = NULL,
       moved_at = now()
 WHERE id = ANY(%(order)b::uuid[])
"""
COMPLETE = f"""
UPDATE sagas_saga s
   SET state = 'completed', stage = 6, deadline_at = NULL, moved_at = now(), finished_at = now(),
       context = s.context || jsonb_build_object(
         'payment_id', u.payment, 'reservation_id', u.reservation, 'location_id', %(location)b::uuid,
         'shipment_id', u.shipment, 'captured_minor', u.total)
  FROM {_columns("saga", "payment", "reservation", "shipment", "total")} WHERE s.id = u.saga
"""  # noqa: S608 - constants

ALLOCATE = """
UPDATE inventory_reservation SET state = 'allocated', version = 2, expires_at = NULL, moved_at = now()
 WHERE id = ANY(%(reservation)b::uuid[])
"""
CLEAR = "UPDATE shipping_shipment SET ready_at = now() WHERE id = ANY(%(shipment)b::uuid[])"
PARCELS = f"""
INSERT INTO orders_parcel (id, order_id, handed_over, delivered, gone)
SELECT u.shipment, u."order", false, false, false FROM {_columns("shipment", "order")}
"""  # noqa: S608 - constants
SEEN = _columns(
    "order", "reference", "person", "total", "pieces", "skus", "saga", "payment", "reservation", "shipment",
    "tracking",
)  # fmt: skip
VIEWS = f"""
INSERT INTO orders_orderview (slot, order_id, shop_id, version, external_reference, person_id, state, on_hold,
       hold_reason, needs_attention, attention_reason, end_code, currency, total_minor, goods_minor, charges_minor,
       cancelled_minor, returned_minor, country, fulfilment, pieces, skus, charges, placed_at, placed_on, received_at,
       moved_at, confirmed_at, saga_id, saga_state, progress, payment_id, payment_version, payment_state,
       authorized_minor, captured_minor, refunded_minor, reservation_id, stock_version, stock_state, shipment_id,
       shipment_version, shipment_state, tracking)
SELECT 1, u."order", %(shop)b, 3, u.reference, u.person, 'confirmed', false, '', false, '', '', %(currency)b, u.total,
       u.total, 0, 0, 0, %(country)b, 'orchestration', u.pieces, u.skus::text[], '[]', %(placed_at)b,
       (%(placed_at)b AT TIME ZONE 'UTC')::date, o.received_at, o.moved_at, o.moved_at, u.saga, 'completed', 6,
       u.payment, 2, 'captured', u.total, u.total, 0, u.reservation, 2, 'allocated', u.shipment, 1, 'label_bought',
       u.tracking
  FROM {SEEN} JOIN orders_order o ON o.id = u."order"
"""  # noqa: S608 - constants
VIEW_SKUS = f"""
INSERT INTO orders_orderviewsku (slot, shop_id, sku, order_id)
SELECT 1, %(shop)b, u.line_sku, u.line_order FROM {_columns("line_sku", "line_order")}
"""  # noqa: S608 - constants
SUMMARY = f"""
INSERT INTO orders_ordersummary AS s (slot, shop_id, day, country, status, currency, orders, total_minor,
       captured_minor, refunded_minor)
SELECT 1, %(shop)b, (%(placed_at)b AT TIME ZONE 'UTC')::date, %(country)b, 'confirmed', %(currency)b, count(*),
       sum(u.total), sum(u.total), 0
  FROM {_columns("total")}
ON CONFLICT (slot, shop_id, day, country, status, currency) DO UPDATE
   SET orders = s.orders + excluded.orders, total_minor = s.total_minor + excluded.total_minor,
       captured_minor = s.captured_minor + excluded.captured_minor
"""  # noqa: S608 - constants
ALLOCATE_STOCK = f"""
UPDATE inventory_stock s SET held = s.held - u.taken, allocated = s.allocated + u.taken
  FROM {_columns("sku", "taken")} WHERE s.location_id = %(location)b AND s.sku = u.sku
"""  # noqa: S608 - constants

HELD = "('holds', 1), ('holds_contra', -1)"
TAKEN = "('holds', -1), ('holds_contra', 1), ('provider_clearing', 1), ('sales', -1)"

PLACE = (
    PEOPLE, ORDERS, ORDER_LINES,
    _event("orders.OrderPlaced", 1, "order", PLACED, "reference", "person", "total", "placed_lines", of=3),
    _event("orders.OrderAccepted", 2, "order", "'saga_id', u.saga", "saga"),
    SAGAS, _step("place", 0, where="here"),
)  # fmt: skip
AUTHORIZE = (
    PAYMENTS, _entry("hold_entry", "authorization"), _entry_lines("hold_entry", HELD),
    _event("payments.PaymentAuthorized", 1, "payment", PAYMENT, "total"),
    _step("authorize", 1, "intent", "payment", memo="jsonb_build_object('provider_id', u.intent)",
          result="jsonb_build_object('payment_id', u.payment)", where="outside"),
)  # fmt: skip
RESERVE = (
    LOCK_STOCK, RESERVATIONS, RESERVATION_LINES,
    _event("inventory.StockReserved", 1, "reservation", RESERVED, "held_lines"),
    _step("reserve", 2, "reservation", where="here",
          result="jsonb_build_object('reservation_id', u.reservation, 'location_id', %(location)b::uuid)"),
    HOLD,
)  # fmt: skip
BOOK = (
    SHIPMENTS, SHIPMENT_LINES,
    _event("shipping.ShipmentBooked", 1, "shipment", BOOKED, "tracking", "sent_lines"),
    _step("book", 3, "shipment", result="jsonb_build_object('shipment_id', u.shipment)", where="outside"),
)  # fmt: skip
TAKE = (
    CAPTURE, _entry("capture_entry", "capture"), _entry_lines("capture_entry", TAKEN),
    _event("payments.PaymentCaptured", 2, "payment", PAYMENT, "total"),
    _step("capture", 4, "total", result="jsonb_build_object('captured_minor', u.total)", where="outside"),
)  # fmt: skip
END = (
    CONFIRM, _event("orders.OrderConfirmed", 3, "order", ""),
    _step("confirm", 5, where="here"), COMPLETE,
)  # fmt: skip
#: What readers make of it, in Waybill: goods bound to the order, a parcel that may leave, and what is shown.
READ = (
    LOCK_STOCK, ALLOCATE,
    _event("inventory.StockAllocated", 2, "reservation", "'reservation_id', u.reservation, 'again', false"),
    CLEAR, PARCELS, VIEWS, VIEW_SKUS, ALLOCATE_STOCK, SUMMARY,
)  # fmt: skip

#: The transactions of one batch.
FLOW = (PLACE, AUTHORIZE, RESERVE, BOOK, TAKE, END, READ)
