"""How often one shop may ask: a steady rate with room for bursts, counted in Redis for all web processes.

Protects the shops from each other. Requests are counted one by one; orders that are sent in bulk apart from them and
by their number, at a higher rate: they cost a fraction of what they cost one by one. Without Redis nobody is turned
away: the database's own limits remain.
"""

from __future__ import annotations

import time
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, cast
from uuid import UUID

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from sagas.web.caller import Caller

if TYPE_CHECKING:
    from rest_framework.views import APIView

    from sagas.web.views import ApiView

logger = structlog.get_logger(__name__)

#: No request waits longer than this for its turn to be counted.
PATIENCE_SECONDS = 0.2
#: After Redis failed, it is left alone for so long: no request waits for it twice.
LEFT_ALONE_SECONDS = 5.0

# The generic cell rate algorithm: one number per shop, the time at which its bucket would be full again.
ADMIT = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local interval, burst, weight = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + interval * weight
local wait = full - now - interval * burst
if wait > 0 then return string.format('%.6f', wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000) + 1000)
return '0'
"""


class ShopThrottle(BaseThrottle):
    """Turns a shop away, with the seconds to wait, when it asks more often than it may."""

    silent_until = 0.0

    def __init__(self) -> None:
        self.seconds = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, Caller) or time.monotonic() < ShopThrottle.silent_until:
            return True
        asked = cast("ApiView", view)  # as every view for shops is
        try:
            self.seconds = seconds_to_wait(request.auth.shop_id, asked.counted, asked.weight(request))
        except redis.RedisError as error:
            ShopThrottle.silent_until = time.monotonic() + LEFT_ALONE_SECONDS
            logger.warning("throttle_without_redis", error=str(error))
        return self.seconds == 0

    def wait(self) -> float:
        return ceil(self.seconds)


def seconds_to_wait(shop_id: UUID, counted: str, weight: int) -> float:
    """Count a request as so many; 0 if it may go ahead, else how long until it may."""
    rate, burst = _limits(counted)
    return float(_admit()(keys=[f"waybill:throttle:{counted}:{shop_id}"], args=[1 / rate, burst, weight]))


def _limits(counted: str) -> tuple[float, int]:
    limits = settings.WAYBILL
    if counted == "orders":
        return limits.bulk_rate, limits.bulk_burst
    return limits.api_rate, limits.api_burst


@cache
def _admit() -> redis.commands.core.Script:
    client = redis.Redis.from_url(
        settings.WAYBILL.redis_url,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    return client.register_script(ADMIT)
