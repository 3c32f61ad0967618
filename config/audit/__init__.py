"""The audit: invariants I1 to I12, recomputed by SQL of its own and compared with the provider's listing.

Independent of the code it checks: it trusts no counter and calls nothing of the apps, but for the replay, which is
about that code. It is the one place that reads every table, and it only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from config.audit.listing import Listing, load
from config.audit.replay import Progress, replay_orders
from config.audit.webhooks import lost_webhooks
from sagas.sql import execute, rows

FOLDER = Path(__file__).parent
EXAMPLES = 5


@dataclass(frozen=True)
class Check:
    """One promise and how its breaches are found: one row each, by a statement or by code."""

    name: str
    invariant: str
    promise: str
    find: Callable[[Progress], Iterable[Sequence[object]]]
    needs_listing: bool = False

    @classmethod
    def read(cls, file: Path) -> Check:
        """Read an SQL file: `-- I4: what must hold` on its first line, the statement below."""
        text = file.read_text()
        invariant, promise = text.splitlines()[0].removeprefix("-- ").split(": ", 1)
        return cls(file.stem, invariant, promise, lambda _: rows(text, prepare=False), "provider_" in text)


@dataclass(frozen=True)
class Finding:
    """What one check found. `name` is its file's, without the ending."""

    name: str
    invariant: str
    promise: str
    breaches: int
    examples: list[str]
    skipped: str = ""


REPLAY = Check(
    "i10l_orders_replay_to_their_rows",
    "I10",
    "Every order's events, replayed, give its row and its lines, column by column.",
    replay_orders,
)
WEBHOOKS = Check(
    "i11_webhooks_are_accounted_for",
    "I11",
    "Every event an endpoint asked for was delivered, is on its way, or is listed as exhausted.",
    lost_webhooks,
)


def checks() -> list[Check]:
    """Every check, in the order of the invariants."""
    return sorted([*map(Check.read, FOLDER.glob("*.sql")), REPLAY, WEBHOOKS], key=lambda check: check.name)


def audit(listing: Listing | None, *, progress: Progress = lambda _: None) -> list[Finding]:
    """Run every check in one snapshot. Without a listing the checks that compare with the provider are skipped.

    `progress` hears of the replay how many orders it has done.
    """
    with transaction.atomic():
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return compare(listing, progress=progress)


def compare(listing: Listing | None, *, progress: Progress = lambda _: None) -> list[Finding]:
    """The same in the caller's transaction."""
    if listing is not None:
        load(listing)
    return [_run(check, listing, progress) for check in checks()]


def _run(check: Check, listing: Listing | None, progress: Progress) -> Finding:
    if check.needs_listing and listing is None:
        skipped = "the provider could not be asked"
        return Finding(check.name, check.invariant, check.promise, 0, [], skipped=skipped)
    breaches, examples = 0, []
    for row in check.find(progress):  # counted, not kept: there may be as many as there are orders
        breaches += 1
        if breaches <= EXAMPLES:
            examples.append(_words(row))
    return Finding(check.name, check.invariant, check.promise, breaches, examples)


def _words(row: Sequence[object]) -> str:
    return ", ".join(str(value) for value in row)


def passed(findings: Sequence[Finding]) -> bool:
    """Whether nothing was breached and nothing had to be skipped."""
    return not any(f.breaches or f.skipped for f in findings)
