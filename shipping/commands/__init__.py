"""Every write of shipping. Each takes a batch, in a number of statements that does not grow with it."""

from __future__ import annotations

from shipping.commands.book import (
    AlreadyCancelled,
    BookParcel,
    Heard,
    Labels,
    Parcel,
    begin_bookings,
    record_bookings,
)
from shipping.commands.clear import clear_parcels, clear_shipments
from shipping.commands.holds import hold_order, let_go
from shipping.commands.leaving import Moved, deliver, deliver_parcels, hand_over, pick_up
from shipping.commands.stops import StockNews
from shipping.commands.surplus import void_surplus_labels
from shipping.commands.tracking import Scanned, ask_after_parcels, record_scans
from shipping.commands.void import (
    AlreadyHandedOver,
    CancelParcel,
    Voided,
    WithdrawParcel,
    begin_cancellations,
    begin_withdrawals,
    record_voids,
)

__all__ = [
    "AlreadyCancelled",
    "AlreadyHandedOver",
    "BookParcel",
    "CancelParcel",
    "Heard",
    "Labels",
    "Moved",
    "Parcel",
    "Scanned",
    "StockNews",
    "Voided",
    "WithdrawParcel",
    "ask_after_parcels",
    "begin_bookings",
    "begin_cancellations",
    "begin_withdrawals",
    "clear_parcels",
    "clear_shipments",
    "deliver",
    "deliver_parcels",
    "hand_over",
    "hold_order",
    "let_go",
    "pick_up",
    "record_bookings",
    "record_scans",
    "record_voids",
    "void_surplus_labels",
]
