"""Labels too many: bought by a request that was given up and arrived all the same. Each is voided once."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid5

import structlog

from sagas.sql import execute
from sagas.verdicts import Refused
from shipping import queries
from shipping.carriers.base import CancelShipment as CancelLabel
from shipping.carriers.base import Carrier, CarrierShipment

logger = structlog.get_logger(__name__)

FORGET = """
UPDATE shipping_shipment s SET surplus = array_remove(s.surplus, %s::varchar) WHERE s.id = %s
"""


def void_surplus_labels(carrier: Carrier, *, now: datetime, limit: int = 50) -> int:
    """Give back up to `limit` labels too many; how many. Call outside any transaction. Safe to repeat.

    One the carrier cannot be asked about now is tried again; one it will not take back is logged and let be.
    """
    done = 0
    for extra in queries.surplus_labels(limit=limit):
        key = uuid5(extra.id, f"{extra.carrier_id}|{now.isoformat()}")
        result = carrier.cancel(CancelLabel(key=key, shipment_id=extra.carrier_id))
        if isinstance(result, Refused):
            logger.error(
                "surplus_label_kept", shipment_id=str(extra.id), label=extra.carrier_id, code=result.code
            )
        if isinstance(result, CarrierShipment | Refused):
            done += execute(FORGET, [extra.carrier_id, extra.id])
    return done
