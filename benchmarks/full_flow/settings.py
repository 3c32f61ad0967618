"""Waybill's own settings, with a gateway and a carrier inside each process instead of over HTTP."""

from config.settings import *  # noqa: F403 - exactly those, and one line more
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.full_flow"]
