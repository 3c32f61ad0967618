"""The audit: invariants I1 to I10, recomputed from rows by SQL of its own and compared with the provider's listing.

Independent of the code it checks: it trusts no counter and calls nothing of the apps. It is the one place that
reads every table, and it only reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from config.audit.listing import Listing, load
from sagas.sql import execute, rows

FOLDER = Path(__file__).parent
EXAMPLES = 5


@dataclass(frozen=True)
class Check:
    """One SQL file: `-- I4: what must hold` on its first line, one row per breach below."""

    name: str
    invariant: str
    promise: str
    sql: str
    needs_listing: bool

    @classmethod
    def read(cls, file: Path) -> Check:
        """Read a file. Its first line names the invariant and the promise."""
        text = file.read_text()
        invariant, promise = text.splitlines()[0].removeprefix("-- ").split(": ", 1)
        return cls(file.stem, invariant, promise, text, "provider_" in text)


@dataclass(frozen=True)
class Finding:
    """What one check found. `name` is its file's, without the ending."""

    name: str
    invariant: str
    promise: str
    breaches: int
    examples: list[str]
    skipped: str = ""


def checks() -> list[Check]:
    """Every check, in the order of the invariants."""
    return [Check.read(file) for file in sorted(FOLDER.glob("*.sql"))]


def audit(listing: Listing | None) -> list[Finding]:
    """Run every check in one snapshot. Without a listing the checks that compare with the provider are skipped."""
    with transaction.atomic():
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return compare(listing)


def compare(listing: Listing | None) -> list[Finding]:
    """The same in the caller's transaction."""
    if listing is not None:
        load(listing)
    return [_run(check, listing) for check in checks()]


def _run(check: Check, listing: Listing | None) -> Finding:
    if check.needs_listing and listing is None:
        skipped = "the provider could not be asked"
        return Finding(check.name, check.invariant, check.promise, 0, [], skipped=skipped)
    found = rows(check.sql)
    examples = [_words(row) for row in found[:EXAMPLES]]
    return Finding(check.name, check.invariant, check.promise, len(found), examples)


def _words(row: Sequence[object]) -> str:
    return ", ".join(str(value) for value in row)


def passed(findings: Sequence[Finding]) -> bool:
    """Whether nothing was breached and nothing had to be skipped."""
    return not any(f.breaches or f.skipped for f in findings)
