"""Fixtures of the chaos: a shop in business, and processes that are made to die."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.db import connection

from tests.chaos.mortal import Zygote
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import fulfilment, sandbox

__all__ = ["fulfilment", "sandbox", "zygote"]


@pytest.fixture(scope="session")
def zygote(django_db_setup: None, sandbox: SandboxProcess) -> Iterator[Zygote]:
    """Makes processes that work on the test database and may be told where to die."""
    url = os.environ["DATABASE_URL"].replace("/waybill?", f"/{connection.settings_dict['NAME']}?")
    made = Zygote({"DATABASE_URL": url, "WAYBILL_SANDBOX_URL": sandbox.url, "WAYBILL_ROLE": "worker"})
    yield made
    made.stop()
