"""F34: a dispute is brought to where the provider has it, in whatever order it is told, and the books follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from payments import loops
from payments.gateways.base import DisputeStatus
from payments.models import Dispute, JournalEntry, Payment
from payments.queries import trial_balance
from sagas.inbox.rows import IncomingWebhook
from tests.payments.letters import Postman
from tests.payments.till import Till

Status = DisputeStatus
DUE = datetime(2026, 1, 20, tzinfo=UTC)


def raised(till: Till, postman: Postman, *, amount: int = 1000, fee: int = 0, inquiry: bool = False) -> str:
    """A payment of 10.00 whose customer's bank wants some of it back, told and read."""
    till.captured("A-1")
    fees = {"fee_minor": fee, "fee_currency": "GBP"} if fee else {}
    till.gateway.dispute("pi_1", "dp_1", amount_minor=amount, inquiry=inquiry, evidence_due_by=DUE, **fees)
    return told(postman, kind="created")


def told(postman: Postman, kind: str = "updated") -> str:
    """What the gateway has of the dispute is told and read; what became of it."""
    event = postman.tell_of_dispute("dp_1", kind=kind)
    postman.read()
    return postman.fate(event)


def test_f34_opening_takes_the_amount_out_of_what_the_provider_has(till: Till, postman: Postman) -> None:
    fate = raised(till, postman, amount=400)

    dispute, payment = Dispute.objects.get(), till.payment("A-1")
    assert fate == "applied: disputed"
    assert (dispute.state, dispute.amount_minor, dispute.currency) == ("needs_response", 400, "GBP")
    assert (dispute.reason, dispute.evidence_due_by, dispute.inquiry) == ("fraud", DUE, False)
    assert (payment.flag, payment.disputed_minor, payment.charged_back_minor) == ("disputed", 400, 0)
    balance = trial_balance()
    assert (balance["provider_clearing", "GBP"], balance["disputed", "GBP"]) == (600, 400)
    assert sum(balance.values()) == 0
    assert till.story("A-1")[2:] == ["DisputeOpened"]


@pytest.mark.parametrize(("status", "losses", "flag"), [("won", 0, ""), ("lost", 400, "dispute_lost")])
def test_f34_its_end_moves_the_amount_back_or_books_a_loss(
    till: Till, postman: Postman, status: str, losses: int, flag: str
) -> None:
    raised(till, postman, amount=400)
    till.gateway.happen("dp_1", status=Status(status), evidence_due_by=None)

    fate = told(postman, kind="closed")

    dispute, payment, balance = Dispute.objects.get(), till.payment("A-1"), trial_balance()
    assert fate == f"applied: dispute_{status}"
    assert (dispute.state, dispute.evidence_due_by) == (status, DUE)
    assert dispute.closed_at is not None
    assert (payment.flag, payment.disputed_minor, payment.charged_back_minor) == (flag, 0, losses)
    assert (balance["provider_clearing", "GBP"], balance["disputed", "GBP"]) == (1000 - losses, 0)
    assert balance.get(("dispute_losses", "GBP"), 0) == losses
    assert till.story("A-1")[2:] == ["DisputeOpened", "DisputeClosed"]


@pytest.mark.parametrize("end", [Status.WON, Status.LOST])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_f34_in_whatever_order_and_however_often_it_is_told_it_ends_alike(
    till: Till, postman: Postman, order: tuple[int, ...], end: DisputeStatus
) -> None:
    """Answers are as old as the news: each says how the gateway stood when it was asked."""
    till.captured("A-1")
    opened = till.gateway.dispute("pi_1", "dp_1", amount_minor=400, evidence_due_by=DUE)
    steps = [Status.NEEDS_RESPONSE, Status.UNDER_REVIEW, end, end]

    for step in order:
        till.gateway.happen("dp_1", status=steps[step], evidence_due_by=opened.evidence_due_by)
        told(postman)

    lost = 400 if end == Status.LOST else 0
    payment, balance = till.payment("A-1"), trial_balance()
    assert Dispute.objects.get().state == str(end)
    assert (payment.disputed_minor, payment.charged_back_minor, payment.mismatch) == (0, lost, "")
    assert payment.flag == ("dispute_lost" if lost else "")
    assert (balance["provider_clearing", "GBP"], balance["disputed", "GBP"]) == (1000 - lost, 0)
    kinds = sorted(e.kind for e in JournalEntry.objects.filter(kind__startswith="dispute_"))
    assert kinds == sorted(["dispute_opened", f"dispute_{end}"])
    assert [w for w in till.story("A-1")[2:] if w != "DisputeProgressed"] == [
        "DisputeOpened",
        "DisputeClosed",
    ]
    assert set(IncomingWebhook.objects.values_list("state", flat=True)) <= {"applied", "ignored"}


def test_f17_the_same_news_twice_is_applied_once(till: Till, postman: Postman) -> None:
    raised(till, postman)

    again = told(postman)

    assert again == "ignored: known"
    assert till.story("A-1")[2:] == ["DisputeOpened"]
    assert till.entries("A-1") == ["authorization", "capture", "dispute_opened"]


def test_an_inquiry_moves_no_money_until_it_becomes_a_real_dispute(till: Till, postman: Postman) -> None:
    raised(till, postman, inquiry=True)
    asked = (till.payment("A-1").flag, trial_balance()["provider_clearing", "GBP"])
    till.gateway.happen("dp_1", status=Status.UNDER_REVIEW)
    told(postman)
    till.gateway.happen("dp_1", status=Status.NEEDS_RESPONSE, inquiry=False)

    fate = told(postman)

    assert asked == ("", 1000)
    assert fate == "applied: dispute_progressed"
    assert (till.payment("A-1").flag, trial_balance()["provider_clearing", "GBP"]) == ("disputed", 0)
    assert till.story("A-1")[2:] == ["DisputeOpened", "DisputeProgressed", "DisputeProgressed"]


def test_an_inquiry_that_comes_to_nothing_books_nothing(till: Till, postman: Postman) -> None:
    raised(till, postman, inquiry=True)
    till.gateway.happen("dp_1", status=Status.WON)

    told(postman, kind="closed")

    assert Dispute.objects.get().state == "won"
    assert till.entries("A-1") == ["authorization", "capture"]


def test_the_fee_is_an_expense_as_soon_as_the_provider_tells_it(till: Till, postman: Postman) -> None:
    raised(till, postman, fee=1500)
    first = trial_balance()
    till.gateway.happen("dp_1", status=Status.UNDER_REVIEW, fee_minor=2000)
    told(postman)
    second = trial_balance()
    till.gateway.happen("dp_1", status=Status.WON, fee_minor=0, fee_currency="")

    told(postman, kind="closed")

    fees = [
        (b["provider_fees", "GBP"], b["provider_fees_due", "GBP"]) for b in (first, second, trial_balance())
    ]
    assert fees == [(1500, -1500), (2000, -2000), (0, 0)]
    assert list(Dispute.objects.get().fees.order_by("id").values_list("amount_minor", flat=True)) == [
        1500,
        500,
        -2000,
    ]


def test_a_fee_in_another_currency_balances_in_its_own(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.dispute("pi_1", "dp_1", fee_minor=1500, fee_currency="EUR")

    told(postman)

    balance = trial_balance()
    assert (balance["provider_fees", "EUR"], balance["provider_fees_due", "EUR"]) == (1500, -1500)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount_minor": 1001}, "dp_1 over 1001, 1000 there"),
        ({"currency": "EUR"}, "dp_1 in EUR, paid in GBP"),
        ({"intent_id": "pi_2"}, "dp_1 is of another payment"),
    ],
)
def test_f22_what_cannot_be_is_flagged_and_nothing_is_applied(
    till: Till, postman: Postman, changes: dict[str, object], said: str
) -> None:
    till.captured("A-1")
    till.captured("A-2")
    till.gateway.dispute("pi_1", "dp_1")
    till.gateway.happen("dp_1", **changes)

    event = postman.tell_of_dispute("dp_1", payment_intent="pi_1")
    postman.read()

    assert postman.fate(event) == "applied: mismatch"
    assert till.payment("A-1").mismatch == said
    assert Dispute.objects.count() == 0


def test_f22_an_end_does_not_become_another_end(till: Till, postman: Postman) -> None:
    raised(till, postman)
    till.gateway.happen("dp_1", status=Status.WON)
    told(postman)
    till.gateway.happen("dp_1", status=Status.LOST)

    fate = told(postman)

    assert fate == "applied: mismatch"
    assert (Dispute.objects.get().state, till.payment("A-1").charged_back_minor) == ("won", 0)


def test_two_disputes_of_one_payment_are_told_apart(till: Till, postman: Postman) -> None:
    raised(till, postman, amount=400)
    till.gateway.dispute("pi_1", "dp_2", amount_minor=600)
    postman.tell_of_dispute("dp_2")
    postman.read()
    till.gateway.happen("dp_1", status=Status.LOST)
    told(postman)
    between = till.payment("A-1").flag
    till.gateway.happen("dp_2", status=Status.WON)

    postman.tell_of_dispute("dp_2", kind="closed")
    postman.read()

    payment = till.payment("A-1")
    assert between == "disputed"
    assert (payment.flag, payment.disputed_minor, payment.charged_back_minor) == ("dispute_lost", 0, 400)


def test_f18_a_dispute_told_before_the_capture_is_known_waits_for_it(till: Till, postman: Postman) -> None:
    till.authorize("A-1")
    till.gateway.happen("pi_1", captured_minor=1000)
    till.gateway.dispute("pi_1", "dp_1")
    Payment.objects.update(state="capturing")

    early = told(postman)

    assert (early, Dispute.objects.count()) == ("matched: not_yet", 0)
    Payment.objects.update(state="authorized")


def test_f20_without_any_webhook_it_is_found_and_followed_to_its_end(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.dispute("pi_1", "dp_1")
    till.gateway.dispute("pi_1", "dp_strange")
    till.gateway.happen("dp_strange", intent_id="pi_of_somebody_else")
    loops.ask_disputes(now=till.clock.now)
    found = Dispute.objects.get().state
    till.gateway.happen("dp_1", status=Status.LOST)

    loops.ask_disputes(now=till.clock.forward(minutes=10))

    assert (found, Dispute.objects.get().state) == ("needs_response", "lost")
    assert till.story("A-1")[2:] == ["DisputeOpened", "DisputeClosed"]


def test_f20_an_old_one_that_is_on_no_page_any_more_is_asked_after_by_its_name(
    till: Till, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised(till, postman)
    till.gateway.happen("dp_1", status=Status.WON)
    till.captured("A-2")
    till.gateway.dispute("pi_2", "dp_newer", inquiry=True)
    monkeypatch.setattr(loops, "NEWEST", 1)
    Dispute.objects.update(asked_at=till.clock.now)
    loops.ask_disputes(now=till.clock.forward(hours=5))
    soon = Dispute.objects.get(provider_id="dp_1").state

    loops.ask_disputes(now=till.clock.forward(hours=1))

    assert (soon, Dispute.objects.get(provider_id="dp_1").state) == ("needs_response", "won")


def test_one_that_was_only_a_flag_before_amounts_were_kept_is_made_whole(
    till: Till, postman: Postman
) -> None:
    till.captured("A-1")
    till.gateway.dispute("pi_1", "dp_1", status=Status.LOST)
    Dispute.objects.create(
        payment=till.payment("A-1"), provider_id="dp_1", state="lost", closed_at=till.clock.now,
        opened_at=till.clock.now, made_at=till.clock.now, moved_at=till.clock.now,
    )  # fmt: skip
    Payment.objects.update(flag="dispute_lost")

    loops.ask_disputes(now=till.clock.now)

    payment = till.payment("A-1")
    assert (payment.charged_back_minor, payment.flag) == (1000, "dispute_lost")
    assert trial_balance()["dispute_losses", "GBP"] == 1000
    assert till.clock.now - Dispute.objects.get().made_at == timedelta(0)
