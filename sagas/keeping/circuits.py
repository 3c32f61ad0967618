"""Rows say whom people hold a circuit at. What workers share may be lost: it is set from the rows again and again."""

from __future__ import annotations

from datetime import datetime

from sagas import circuits, queries
from sagas.loops import keeper


@keeper("sagas.force_circuits", every=5.0)
def force_circuits(*, now: datetime) -> int:
    """Bring every circuit to where its row says that a person holds it. How many stood elsewhere."""
    del now
    held = queries.forced_circuits()
    wrong = [r for r in circuits.reports() if r.forced != held.get((r.provider, r.operation))]
    for report in wrong:
        circuits.force(report.provider, report.operation, held.get((report.provider, report.operation)))
    return len(wrong)
