"""What a person may do about a case: settle it, or have the saga behind it ask the provider again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from payments import contract
from payments.reconciliation.rows import Case
from sagas import operate
from sagas.log import Append, publish
from sagas.models import Saga
from sagas.verdicts import Refused


class CaseEnded(Refused):
    """The case is no longer open: somebody has resolved it, or a run closed it."""

    code = "payments.case_ended"


class NothingToWake(Refused):
    """No unfinished saga stands behind the case, so asking again would change nothing."""

    code = "payments.nothing_to_wake"


class NoSuchWay(Refused):
    """A case is resolved as one of the ways it knows."""

    code = "payments.no_such_way"


def resolve_case(case_id: UUID, *, how: str, actor: str, reason: str, now: datetime) -> Case:
    """Settle a case for good and publish CaseResolved. No money moves.

    Raises Refused: no actor or reason, no such way, or the case has ended (`payments.case_ended`).
    """
    if not actor.strip() or not reason.strip():
        raise operate.ReasonMissing
    if how not in Case.How.values:
        raise NoSuchWay(detail=how)
    with transaction.atomic():
        case = _open(case_id)
        case.state, case.how, case.ended_at = Case.State.RESOLVED, how, now
        case.resolved_by, case.reason = actor.strip()[:100], reason.strip()[:500]
        case.save(update_fields=["state", "how", "ended_at", "resolved_by", "reason"])
        publish([Append(case.pk, 1, _resolved(case))], now=now, actor=actor, reason=reason)
    return case


def look_again(case_id: UUID, *, actor: str, reason: str, now: datetime) -> list[UUID]:
    """Wake the unfinished saga behind a case: it settles what it does not know by asking the provider.

    An intent it lost the id of is found again by its key. The next run closes the case when both sides agree. Ids
    of the intents. Raises Refused: the case has ended, or no unfinished saga stands behind it.
    """
    with transaction.atomic():
        case = _open(case_id)
        if not may_look_again(case):
            raise NothingToWake(detail=str(case))
        return operate.retry_now([case.saga_id] if case.saga_id else [], actor=actor, reason=reason, now=now)


def may_look_again(case: Case) -> bool:
    """Whether an unfinished saga stands behind an open case."""
    unfinished = Saga.objects.filter(pk=case.saga_id, finished_at=None) if case.saga_id else None
    return case.state == Case.State.OPEN and unfinished is not None and unfinished.exists()


def _open(case_id: UUID) -> Case:
    case = Case.objects.select_for_update().get(pk=case_id)
    if case.state != Case.State.OPEN:
        raise CaseEnded(detail=f"{case} is {case.state}")
    return case


def _resolved(case: Case) -> contract.CaseResolved:
    return contract.CaseResolved(
        case_id=case.pk, kind=case.kind, object_id=case.object_id, shop_id=case.shop_id, order_id=case.order_id,
        how=case.how, amount_minor=case.at_stake_minor, currency=case.currency,
    )  # fmt: skip
