"""I12: every read model equals a fresh fold of the log, made beside it in its spare slot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from config.audit import Finding
from sagas.projections import Projection, projections
from sagas.rebuild.run import Outcome, rebuild
from sagas.verdicts import Refused

PROMISE = "the read model equals a fresh fold of the log"


def read_models(*, clock: Callable[[], datetime]) -> list[Finding]:
    """One finding for each projection. Nothing is swapped; one that cannot be built counts as skipped."""
    return [_checked(one, clock) for one in projections()]


def _checked(one: Projection, clock: Callable[[], datetime]) -> Finding:
    name, promise = f"i12_{one.name}", f"{one.name}: {PROMISE}"
    try:
        outcome = rebuild(one, clock=clock, swap=False)
    except Refused as refused:
        return Finding(name, "I12", promise, 0, [], skipped=refused.detail or refused.code)
    return Finding(name, "I12", promise, outcome.differing, _examples(outcome))


def _examples(outcome: Outcome) -> list[str]:
    return [f"{one.table} {key}" for one in outcome.differences for key in one.keys]
