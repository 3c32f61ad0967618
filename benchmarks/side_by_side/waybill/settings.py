"""Waybill's own settings with the shop as one more app, and its queue."""

from config.settings import *  # noqa: F403 - exactly those, and two more lines
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.side_by_side.waybill"]
WAYBILL_APP_QUEUES = ("shop",)
