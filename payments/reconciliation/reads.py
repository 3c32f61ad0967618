"""What the staff page shows of reconciliation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Sum

from payments import queries
from payments.reconciliation.rows import Case, ReconciliationRun
from payments.reconciliation.tally import total_lines
from sagas.clock import database_now
from sagas.money import money
from sagas.remember import Remembered

#: So many cases and runs a page.
CASES, RUNS = 50, 10
#: The trial balance reads the whole ledger, so all screens share one reading.
BALANCE_SECONDS = 30.0


@dataclass(frozen=True)
class KindOfCase:
    """The open cases of one kind: how many, and what is at stake by currency."""

    kind: str
    count: int
    at_stake: dict[str, int]


@dataclass(frozen=True)
class Side:
    """One fact of a case as each side tells it."""

    name: str
    ours: str
    theirs: str

    @property
    def differs(self) -> bool:
        """Whether both tell of it, and not the same."""
        return bool(self.ours and self.theirs and self.ours != self.theirs)


def open_kinds() -> list[KindOfCase]:
    """Open cases by kind, the most frequent first."""
    open_cases = Case.objects.filter(state=Case.State.OPEN).values_list("kind", "currency")
    found: dict[str, tuple[int, dict[str, int]]] = {}
    for kind, currency, count, stake in open_cases.annotate(Count("id"), Sum("at_stake_minor")):
        so_far, purse = found.get(kind, (0, {}))
        found[kind] = (so_far + count, {**purse, currency: stake})
    kinds = [KindOfCase(kind, count, purse) for kind, (count, purse) in found.items()]
    return sorted(kinds, key=lambda k: (-k.count, k.kind))


def list_cases(*, state: str, kind: str, before: UUID | None) -> tuple[list[Case], UUID | None]:
    """A page of cases, newest first, and where the next begins; None: that was all."""
    found = Case.objects.filter(state=state)
    found = found.filter(kind=kind) if kind else found
    found = found.filter(id__lt=before) if before else found
    page = list(found.order_by("-id")[: CASES + 1])
    return page[:CASES], page[CASES - 1].pk if len(page) > CASES else None


def last_runs() -> list[tuple[ReconciliationRun, list[tuple[str, str, str, str]]]]:
    """The newest runs, each with the money on both sides in words, and by how much they are apart."""
    runs = ReconciliationRun.objects.order_by("-started_at")[:RUNS]
    return [(run, list(_money_lines(run))) for run in runs]


def _money_lines(run: ReconciliationRun) -> Iterable[tuple[str, str, str, str]]:
    for currency, what, ours, theirs in total_lines(run):
        apart = money(theirs - ours, currency) if ours != theirs else ""
        yield what, money(ours, currency), money(theirs, currency), apart


def sides_of(case: Case) -> list[Side]:
    """The facts of a case beside each other: those both tell first, then those of one side."""
    names = sorted({*case.ours, *case.theirs}, key=lambda n: (not (n in case.ours and n in case.theirs), n))
    return [Side(n.removesuffix("_minor"), _shown(n, case.ours), _shown(n, case.theirs)) for n in names]


def _shown(name: str, side: dict[str, Any]) -> str:
    value = side.get(name)
    if value is None or value == "":
        return ""
    minor = name.endswith("_minor") or name == "agreed"
    return money(int(value), str(side.get("currency", ""))) if minor else str(value)


def _balance() -> tuple[Any, list[tuple[str, str]], list[tuple[str, str]]]:
    """The moment, each account with its balance in words, and the sums, which are zero."""
    at = database_now()
    balance = queries.trial_balance()
    sums: dict[str, int] = {}
    for (_, currency), amount in balance.items():
        sums[currency] = sums.get(currency, 0) + amount
    lines = [(account, money(amount, currency)) for (account, currency), amount in sorted(balance.items())]
    return at, lines, [(currency, money(amount, currency)) for currency, amount in sorted(sums.items())]


kept_balance = Remembered(_balance, seconds=BALANCE_SECONDS)
