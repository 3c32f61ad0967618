"""A shop that trades once for a whole file of tests: what the audit is asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from config.audit.listing import Listing, fetch
from tests.flush import QuickFlush
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Fulfilment, in_business


@contextmanager
def traded(
    blocker: DjangoDbBlocker, sandbox: SandboxProcess, trade: Callable[[Fulfilment], None]
) -> Iterator[Listing]:
    """Open a shop, let it trade, and give what the providers say of it. No test in between empties the database."""
    with pytest.MonkeyPatch.context() as patch, blocker.unblock(), in_business(sandbox) as shop:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: None)
        trade(shop)
        yield fetch(sandbox.url)
        QuickFlush.remembered(connection).run(connection)
