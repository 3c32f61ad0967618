"""One reconciliation from its first page to its last, a page a commit, so that it may be killed anywhere.

1. The provider's intents and refunds, newest first, until the window lies well behind.
2. Our own objects of the window that were not among them: each is asked for by its id, so that a list that lags, or
   an object made long before it moved, never makes something missing.
3. Open cases about objects that nothing before has met, likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db import transaction

from payments.gateways import LIST, RETRIEVE
from payments.gateways.base import Intent, Page, PaymentGateway
from payments.gateways.base import Refund as TheirRefund
from payments.reconciliation import cases, compare, ours
from payments.reconciliation.compare import Judged, OurPayment, OurRefund
from payments.reconciliation.ours import Bounds
from payments.reconciliation.rows import Case, ReconciliationRun, SeenObject
from payments.reconciliation.settlement import rematch
from payments.reconciliation.tally import Tally
from sagas.circuits import ask_through
from sagas.sql import execute
from sagas.verdicts import Refused, Unavailable

Phase = ReconciliationRun.Phase
Result = ReconciliationRun.Result
About = Case.About

#: What is younger, or has moved since, is still under way.
GRACE = timedelta(minutes=15)
#: The list is read on beyond the window: an outage may have put an old order behind a new one.
BEYOND = timedelta(days=1)
PAGE = 100
#: Objects asked for one by one are asked for so many at once.
CALLERS = 8
FIRST = UUID(int=0)

SEEN = """
INSERT INTO payments_seenobject (run_id, object_id) SELECT %s::uuid, u.id FROM unnest(%s::text[]) AS u (id)
ON CONFLICT DO NOTHING
"""

Found = TypeVar("Found", Intent, TheirRefund)


class ProviderSilent(Exception):
    """The provider could not be asked. The run stands where it is and goes on there the next time."""


def open_run(bounds: Bounds, *, now: datetime, afresh: bool = False) -> ReconciliationRun:
    """The unfinished run with these bounds, to go on with; else a new one. `afresh` gives the old one up."""
    same = ReconciliationRun.objects.filter(since=bounds.since, until=bounds.until, finished_at=None)
    if afresh:
        SeenObject.objects.filter(run__in=same).delete()
        same.update(finished_at=now, result=Result.STOPPED, trouble="given up for a new run")
    return same.order_by("-id").first() or ReconciliationRun.objects.create(
        since=bounds.since, until=bounds.until, started_at=now, moved_at=now
    )


class Reconciler:
    """Leads one run. `step` does one page in one commit; `finished` tells when there is none left."""

    def __init__(
        self,
        run: ReconciliationRun,
        gateway: PaymentGateway,
        *,
        clock: Callable[[], datetime],
        grace: timedelta = GRACE,
        page: int = PAGE,
    ) -> None:
        self.run, self.gateway, self.clock, self.grace, self.page = run, gateway, clock, grace, page
        self.bounds = Bounds(since=run.since, until=run.until)
        self._tally = Tally()

    @property
    def finished(self) -> bool:
        """Whether the run is through."""
        return self.run.finished_at is not None

    def step(self) -> None:
        """Compare one page. Raises ProviderSilent, which is noted with the run; nothing of the page is kept."""
        steps: dict[str, Callable[[], None]] = {
            Phase.INTENTS: self._intents, Phase.REFUNDS: self._refunds, Phase.PAYMENTS: self._payments,
            Phase.GIVEN_BACK: self._given_back, Phase.CASES: self._cases,
        }  # fmt: skip
        self._tally = Tally()
        try:
            steps[self.run.phase]()
        except ProviderSilent as silent:
            self.run.result, self.run.trouble = Result.STOPPED, str(silent)[:500]
            self.run.save(update_fields=["result", "trouble"])
            raise

    # --- the provider's lists -----------------------------------------------------------------------

    def _intents(self) -> None:
        page = _told(partial(self.gateway.list_intents, after=self.run.cursor or None, limit=self.page))
        with transaction.atomic():
            known = self.compare_intents(page.items)
            self._turn(page, known, after=Phase.REFUNDS)

    def _refunds(self) -> None:
        page = _told(partial(self.gateway.list_refunds, after=self.run.cursor or None, limit=self.page))
        with transaction.atomic():
            known = self.compare_refunds(page.items)
            self._turn(page, known, after=Phase.PAYMENTS)

    def _turn(self, page: Page[Found], known: Sequence[OurPayment | OurRefund], *, after: Phase) -> None:
        """Go on to the next page, or to the next phase when the list ends or has left the window behind."""
        self._see(item.id for item in page.items)
        if page.next is None or self._behind(known):
            self._go_on(after, "")
        else:
            self._go_on(Phase(self.run.phase), page.next)

    def _behind(self, known: Sequence[OurPayment | OurRefund]) -> bool:
        since = self.bounds.since
        return since is not None and bool(known) and all(o.made_at < since - BEYOND for o in known)

    def compare_intents(self, intents: Sequence[Intent], *, all_of_them: bool = False) -> list[OurPayment]:
        """Compare what the provider listed with our rows, and write the cases. Returns our rows.

        What was not active within the bounds is passed over, unless all are wanted. A stray has no date we know,
        so it is always compared.
        """
        now = self.clock()
        named = ours.payments_named([i.id for i in intents])
        claims = ours.claims_of([i for i in intents if i.id not in named])
        met: list[str] = []
        for intent in intents:
            payment = named.get(intent.id)
            if payment is not None and not all_of_them and not self.bounds.holds(payment):
                continue
            if payment is not None:
                judged = compare.judge_payment(payment, intent, moving=self._moving(payment, now))
                names = [intent.id, str(payment.id)]
            else:
                judged = compare.judge_stray(intent, claims.get(intent.id), now=now, grace=self.grace)
                names = [intent.id]
            self._tally.weigh_payment(payment, intent)
            met += self._note(judged, names)
        self._write(About.PAYMENT, met, now)
        return list(named.values())

    def compare_refunds(
        self, refunds: Sequence[TheirRefund], *, all_of_them: bool = False
    ) -> list[OurRefund]:
        """The same for refunds. One whose answer was lost is known by its payment and reference."""
        now = self.clock()
        known = ours.refunds_of([r.id for r in refunds], [r.intent_id for r in refunds])
        by_name = {r.provider_id: r for r in known if r.provider_id}
        by_reference = {(r.intent_id, r.reference): r for r in known}
        met: list[str] = []
        for theirs in refunds:
            row = by_name.get(theirs.id) or by_reference.get((theirs.intent_id, theirs.reference))
            if row is not None and not all_of_them and not self.bounds.holds(row):
                continue
            twin = row is not None and row.provider_id not in ("", theirs.id)
            moving = row is not None and self._moving(row, now)
            judged = compare.judge_refund(row, theirs, moving=moving, twin=twin)
            self._tally.weigh_refund(None if twin else row, theirs)
            met += self._note(judged, [theirs.id, *([str(row.id)] if row and not twin else [])])
        self._write(About.REFUND, met, now)
        return known

    # --- ours that were not among them --------------------------------------------------------------

    def _payments(self) -> None:
        found = ours.unseen_payments(self.run.pk, self.bounds, cursor=self._cursor(), limit=self.page)
        intents = self._look_up(self.gateway.retrieve, [p.provider_id for p in found if p.provider_id])
        with transaction.atomic():
            again = {p.id: p for p in ours.payments_by_id([p.id for p in found])}
            self.compare_intents(list(intents.values()), all_of_them=True)
            self._miss_payments([p for p in again.values() if p.provider_id not in intents])
            self._next(found, after=Phase.GIVEN_BACK)

    def _given_back(self) -> None:
        found = ours.unseen_refunds(self.run.pk, self.bounds, cursor=self._cursor(), limit=self.page)
        refunds = self._look_up(self.gateway.retrieve_refund, [r.provider_id for r in found])
        with transaction.atomic():
            self.compare_refunds(list(refunds.values()), all_of_them=True)
            self._miss_refunds([r for r in found if r.provider_id not in refunds])
            self._next(found, after=Phase.CASES)

    def _miss_payments(self, missing: Sequence[OurPayment]) -> None:
        now = self.clock()
        met: list[str] = []
        for payment in missing:
            judged = compare.missing_payment(payment, moving=self._moving(payment, now))
            self._tally.weigh_payment(payment, None)
            met += self._note(judged, [payment.provider_id or str(payment.id)])
        self._write(About.PAYMENT, met, now)

    def _miss_refunds(self, missing: Sequence[OurRefund]) -> None:
        now = self.clock()
        met: list[str] = []
        for refund in missing:
            judged = compare.missing_refund(refund, moving=self._moving(refund, now))
            self._tally.weigh_refund(refund, None)
            met += self._note(judged, [refund.provider_id])
        self._write(About.REFUND, met, now)

    # --- open cases that nothing has met ------------------------------------------------------------

    def _cases(self) -> None:
        found = cases.unmet(self.run.pk, cursor=self._cursor(), limit=self.page)
        of_payments = [c for c in found if c.about == About.PAYMENT]
        of_refunds = [c for c in found if c.about == About.REFUND]
        intents = self._look_up(self.gateway.retrieve, [c.object_id for c in of_payments])
        refunds = self._look_up(self.gateway.retrieve_refund, [c.object_id for c in of_refunds])
        with transaction.atomic():
            self.compare_intents(list(intents.values()), all_of_them=True)
            self.compare_refunds(list(refunds.values()), all_of_them=True)
            self._gone_payments([c for c in of_payments if c.object_id not in intents])
            self._gone_refunds([c for c in of_refunds if c.object_id not in refunds])
            self._tally.money.clear()  # they are of other windows: the totals are this one's
            self._next(found, after=Phase.DONE)

    def _gone_payments(self, gone: Sequence[Case]) -> None:
        """The provider does not know them: what we rely on is missing, of the others nothing is left to differ."""
        names = {c.object_id for c in gone}
        ours_ = ours.payments_by_id([c.payment_id for c in gone if c.payment_id])
        relied = {p.provider_id or str(p.id): p for p in ours_}
        self._miss_payments([p for name, p in relied.items() if name in names])
        cases.close_gone(About.PAYMENT, names - set(relied), (), now=self.clock())

    def _gone_refunds(self, gone: Sequence[Case]) -> None:
        names = {c.object_id for c in gone}
        relied = {r.provider_id: r for r in ours.refunds_by_id([c.refund_id for c in gone if c.refund_id])}
        self._miss_refunds([r for name, r in relied.items() if name in names])
        cases.close_gone(About.REFUND, names - set(relied), (), now=self.clock())

    # --- small things -------------------------------------------------------------------------------

    def _moving(self, row: OurPayment | OurRefund, now: datetime) -> bool:
        return row.moving(now=now, grace=self.grace)

    def _note(self, judged: Judged, names: list[str]) -> list[str]:
        """Count it. Returns the names under which cases may be closed now: none while it is in flight."""
        self._tally.add(judged)
        return [] if judged.in_flight else names

    def _write(self, about: str, met: Collection[str], now: datetime) -> None:
        found = [f for f in self._tally.findings if f.about == about]
        cases.record(found, run=self.run.pk, now=now)
        cases.close_gone(about, met, found, now=now)

    def _see(self, ids: Iterable[str]) -> None:
        execute(SEEN, [self.run.pk, list(ids)])

    def _look_up(
        self, ask: Callable[[str], Found | Refused | Unavailable], ids: Sequence[str]
    ) -> dict[str, Found]:
        """Ask for objects by their ids. What the provider does not know is not in the answer."""
        with ThreadPoolExecutor(CALLERS) as pool:
            answers = list(pool.map(lambda one: ask_through(RETRIEVE, partial(ask, one)), ids))
        if silent := next((a for a in answers if isinstance(a, Unavailable)), None):
            raise ProviderSilent(f"{silent.code} {silent.detail}".strip())
        return {i: a for i, a in zip(ids, answers, strict=True) if not isinstance(a, (Refused, Unavailable))}

    def _cursor(self) -> UUID:
        return UUID(self.run.cursor) if self.run.cursor else FIRST

    def _next(
        self, found: Sequence[OurPayment] | Sequence[OurRefund] | Sequence[Case], *, after: Phase
    ) -> None:
        if len(found) < self.page:
            self._go_on(after, "")
        else:
            self._go_on(Phase(self.run.phase), str(found[-1].id))

    def _go_on(self, phase: Phase, cursor: str) -> None:
        """The page's figures and the place behind it, in the page's commit."""
        run = self.run
        self._tally.pour_into(run)
        run.phase, run.cursor, run.result, run.trouble = phase, cursor, Result.RUNNING, ""
        run.moved_at = self.clock()
        if phase == Phase.DONE:
            SeenObject.objects.filter(run=run).delete()
            rematch(now=run.moved_at)
            run.result = Result.DIFFERENCES if Case.objects.filter(state="open").exists() else Result.CLEAN
            run.finished_at = run.moved_at
        run.save()


def _told(ask: Callable[[], Page[Found] | Unavailable]) -> Page[Found]:
    page = ask_through(LIST, ask)
    if isinstance(page, Unavailable):
        raise ProviderSilent(f"{page.code} {page.detail}".strip())
    return page
