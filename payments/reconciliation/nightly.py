"""Yesterday, reconciled once a day by whichever keeper comes first, a bounded number of pages a pass."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import structlog

from payments import gateways
from payments.reconciliation.alone import AlreadyRunning, alone
from payments.reconciliation.ours import Bounds
from payments.reconciliation.rows import ReconciliationRun
from payments.reconciliation.run import ProviderSilent, Reconciler, open_run
from sagas.circuits import room_for
from sagas.clock import database_now

logger = structlog.get_logger(__name__)

#: Other loops of the same process have their turn in between.
PAGES = 5


class BadTime(ValueError):
    """The setting is no time of day."""


def read_time(text: str) -> time | None:
    """`02:30` as a time of day in UTC; None for nothing. Raises BadTime."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%H:%M").replace(tzinfo=UTC).time()
    except ValueError:
        raise BadTime(f"RECONCILE_AT must be like 02:30, not {text!r}") from None


def some_pages(at: time | None, *, now: datetime) -> int:
    """Go on with yesterday's reconciliation, if it is due and not through. How many pages were compared.

    Safe to repeat and at any time: one process at once, one run a day. A silent provider is asked again in the next
    pass.
    """
    yesterday = _yesterday(now)
    if at is None or now.astimezone(UTC).time() < at or _is_through(yesterday):
        return 0
    if not (room_for(gateways.LIST, 1) and room_for(gateways.RETRIEVE, 1)):
        return 0  # the provider is down, as is known by now
    try:
        with alone():
            return 0 if _is_through(yesterday) else _compare(yesterday, now)
    except AlreadyRunning:
        return 0


def _compare(bounds: Bounds, now: datetime) -> int:
    leading = Reconciler(open_run(bounds, now=now), gateways.get_gateway(), clock=database_now)
    pages = 0
    try:
        while pages < PAGES and not leading.finished:
            leading.step()
            pages += 1
    except ProviderSilent as silent:
        logger.warning("reconciliation_stopped", scope=leading.run.scope, trouble=str(silent))
        return 0
    if leading.finished:
        logger.info("reconciliation_done", scope=leading.run.scope, result=leading.run.result)
    return pages


def _is_through(bounds: Bounds) -> bool:
    runs = ReconciliationRun.objects.filter(since=bounds.since, until=bounds.until)
    return runs.filter(phase=ReconciliationRun.Phase.DONE).exists()


def _yesterday(now: datetime) -> Bounds:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Bounds(since=today - timedelta(days=1), until=today)
