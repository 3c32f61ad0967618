"""The steps of orders in the saga of a parcel, each beside its compensation where it has one."""

from __future__ import annotations

from collections.abc import Sequence

from orders import contract
from orders.parcelling import closing, packing
from sagas.steps import StepCall, compensation, local_step
from sagas.verdicts import Answer


@local_step(contract.PACK_PARCEL, undo=contract.UNPACK_PARCEL)
def pack_parcel(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The pieces are its own."""
    return packing.pack(calls)


@compensation(contract.UNPACK_PARCEL, needs=("order_id",))
def unpack_parcel(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The pieces are free again."""
    return packing.unpack(calls, now=calls[0].now)


@local_step(contract.READY_PARCEL, needs=("order_id", "shipment_id"), gives=("nothing_left",))
def ready_parcel(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """It is paid for."""
    if calls[0].by_hand:
        return [packing.settle_by_hand(call, now=call.now) for call in calls]
    return packing.make_ready(calls, now=calls[0].now)


@local_step(contract.HOLD_PARCEL, undo=contract.KEEP_PARCEL, needs=("order_id", "reason"))
def hold_parcel(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Its pieces are to be shipped by nobody."""
    return closing.hold(calls, now=calls[0].now)


@compensation(contract.KEEP_PARCEL, needs=("order_id",))
def keep_parcel(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The carrier was faster: it goes on. Pieces that were in no parcel are free again."""
    return closing.keep(calls, now=calls[0].now)


@local_step(contract.CANCEL_PIECES, needs=("order_id",), gives=("nothing_left",))
def cancel_pieces(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The order counts its pieces as cancelled."""
    return closing.cancel_pieces(calls, now=calls[0].now)


@local_step(contract.FINISH_ORDER, needs=("order_id", "nothing_left", "reason"))
def finish_order(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """If that was all, the order has ended."""
    return closing.finish(calls, now=calls[0].now)
