"""Every write of orders. The main flow takes batches and answers in values; staff acts take one and raise."""

from __future__ import annotations

from orders.aggregate import OrderNotFound
from orders.commands.address import (
    AddressCorrection,
    AddressFixed,
    AddressInUse,
    PersonErased,
    correct_address,
    hold_for_address,
)
from orders.commands.attention import call_attention, call_for, call_off, clear_attention
from orders.commands.cancel import (
    CancelAnswer,
    VersionMoved,
    begin_late_cancellations,
    cancel_order,
)
from orders.commands.fulfil import accept_orders, confirm_orders, give_back_orders
from orders.commands.parcels import ParcelNews, flag_orders, note_parcels
from orders.commands.place import Placed, place_order, place_orders
from orders.commands.shops import create_shop, create_token, revoke_token
from orders.commands.take import ReferenceTaken, take_orders

__all__ = [
    "AddressCorrection",
    "AddressFixed",
    "AddressInUse",
    "CancelAnswer",
    "OrderNotFound",
    "ParcelNews",
    "PersonErased",
    "Placed",
    "ReferenceTaken",
    "VersionMoved",
    "accept_orders",
    "begin_late_cancellations",
    "call_attention",
    "call_for",
    "call_off",
    "cancel_order",
    "clear_attention",
    "confirm_orders",
    "correct_address",
    "create_shop",
    "create_token",
    "flag_orders",
    "give_back_orders",
    "hold_for_address",
    "note_parcels",
    "place_order",
    "place_orders",
    "revoke_token",
    "take_orders",
]
