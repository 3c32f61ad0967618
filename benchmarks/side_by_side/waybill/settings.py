"""Waybill's own settings with the shop as one more app, its queue is named by the environment."""

from config.settings import *  # noqa: F403 - exactly those
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.side_by_side.waybill"]
