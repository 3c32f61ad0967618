"""The names of steps and definitions that others may use."""

from __future__ import annotations

FULFIL_ORDER = "orders.fulfil_order"
FULFIL_IN_PARCELS = "orders.fulfil_in_parcels"
SHIP_PARCEL = "orders.ship_parcel"
CANCEL_FULFILMENT = "orders.cancel_fulfilment"
RETURN_GOODS = "orders.return_goods"
REFUND_ORDER = "orders.refund_order"

PLACE_ORDER = "orders.place_order"
CANCEL_ORDER = "orders.cancel_order"
CONFIRM_ORDER = "orders.confirm_order"
BEGIN_CANCELLATION = "orders.begin_cancellation"
ABANDON_CANCELLATION = "orders.abandon_cancellation"
CLOSE_CANCELLATION = "orders.close_cancellation"
RECEIVE_RETURN = "orders.receive_return"
WITHDRAW_RETURN = "orders.withdraw_return"
INSPECT_RETURN = "orders.inspect_return"
CLOSE_RETURN = "orders.close_return"
CLOSE_REFUND = "orders.close_refund"
DROP_REFUND = "orders.drop_refund"
PACK_PARCEL = "orders.pack_parcel"
UNPACK_PARCEL = "orders.unpack_parcel"
READY_PARCEL = "orders.ready_parcel"
CANCEL_PARCEL = "orders.cancel_parcel"
HOLD_PARCEL = "orders.hold_parcel"
KEEP_PARCEL = "orders.keep_parcel"
CANCEL_PIECES = "orders.cancel_pieces"
FINISH_ORDER = "orders.finish_order"

#: Who leads an order through payment, inventory and shipping.
ORCHESTRATION = "orchestration"
CHOREOGRAPHY = "choreography"

#: Kinds of a line: goods are reserved and shipped, a voucher is sold with nothing to ship.
GOODS = "goods"
VOUCHER = "voucher"
