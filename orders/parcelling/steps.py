"""The steps of orders in the saga of a parcel, each beside its compensation where it has one."""

from __future__ import annotations

from collections.abc import Sequence

from orders import contract
from orders.parcelling import packing
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


@local_step(contract.READY_PARCEL, needs=("order_id",), gives=("nothing_left",))
def ready_parcel(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """It is paid for."""
    return packing.make_ready(calls, now=calls[0].now)
