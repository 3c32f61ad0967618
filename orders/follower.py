"""The follower of choreographed orders: it notes with each saga what was told of it, and decides nothing.

An app writes its step's row in the commit of its fact, so staff see a choreographed order exactly as an
orchestrated one. What no app can see is silence: that an event was told and nobody went on. The follower keeps
what was told beside the rows, so that silence is noticed, and one reader can be told again. That is in no hurry: by
the time it looks most orders have ended, and need not be written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from inventory.contract import StockRefused, StockReleased, StockReserved
from orders.contract import (
    CancellationRequested,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
)
from payments.contract import (
    CaptureFailed,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentExpired,
    PaymentRefunded,
    PaymentVoided,
    RefundRefused,
    RefundRepaid,
)
from sagas import choreography
from sagas.bus import subscription
from sagas.contract import UndoSettled
from sagas.log import Recorded
from shipping.contract import ShipmentBooked, ShipmentCancelled, ShipmentRefused

#: Not OrderPlaced: it carries every line, and OrderAccepted is told with it. Nor OrderConfirmed: with that fact the
#: saga ends, in one commit, and one that has ended remembers nothing more.
FOLLOWED = (
    OrderAccepted, PaymentAuthorized, StockReserved, ShipmentBooked,
    PaymentCaptured,
    PaymentDeclined, StockRefused, ShipmentRefused, CaptureFailed, PaymentExpired, CancellationRequested,
    PaymentVoided, PaymentRefunded, RefundRefused, RefundRepaid, StockReleased, ShipmentCancelled, UndoSettled,
    OrderRejected, OrderCancelled,
)  # fmt: skip


#: Far less than the silence after which a person is called, and longer than most orders take.
EVERY_SECONDS = 10.0


@subscription("orders.follower", of=FOLLOWED, every=EVERY_SECONDS, unled=True)
def follow(*, events: Sequence[Recorded], now: datetime) -> None:
    """Note what was told of each order."""
    choreography.act([choreography.Hear.of(_order_of(r), r) for r in events], now=now)


def _order_of(recorded: Recorded) -> UUID:
    event = recorded.event
    found: UUID = event.subject_id if isinstance(event, UndoSettled) else getattr(event, "order_id")  # noqa: B009
    return found
