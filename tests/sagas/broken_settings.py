"""The project's settings with a definition that could never give back what it did."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.sagas.brokenapp"]
