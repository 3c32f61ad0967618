"""Labels too many: bought by a request that was given up and arrived all the same. Each is voided once."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from uuid import uuid5

import structlog

from sagas.circuits import CIRCUIT_OPEN, ask_through, room_for
from sagas.sql import execute
from sagas.verdicts import Refused, Unavailable
from shipping import queries
from shipping.carriers import VOID_SURPLUS
from shipping.carriers.base import CancelShipment as CancelLabel
from shipping.carriers.base import Carrier, CarrierShipment

logger = structlog.get_logger(__name__)

FORGET = """
UPDATE shipping_shipment s SET surplus = array_remove(s.surplus, %s::varchar) WHERE s.id = %s
"""


def void_surplus_labels(carrier: Carrier, *, now: datetime, limit: int = 50) -> int:
    """Give back up to `limit` labels too many; how many. Call outside any transaction. Safe to repeat.

    While the carrier is out of reach none is given back. One it cannot be asked about now is tried again, and holds up
    no other; one it will not take back is logged and let be.
    """
    room = room_for(VOID_SURPLUS, limit)
    done = 0
    for extra in queries.surplus_labels(now=now, limit=room) if room else ():
        key = uuid5(extra.id, f"{extra.carrier_id}|{now.isoformat()}")
        ask = CancelLabel(key=key, shipment_id=extra.carrier_id)
        result = ask_through(VOID_SURPLUS, partial(carrier.cancel, ask))
        if isinstance(result, Unavailable) and result.code == CIRCUIT_OPEN:
            break
        if isinstance(result, Refused):
            logger.error(
                "surplus_label_kept", shipment_id=str(extra.id), label=extra.carrier_id, code=result.code
            )
        if isinstance(result, CarrierShipment | Refused):
            done += execute(FORGET, [extra.carrier_id, extra.id])
    return done
