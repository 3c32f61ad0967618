"""`manage.py reconcile`: what it says, how it ends, and against the real sandbox in a process of its own."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from config.embedded.stack import MANAGE
from config.embedded.state import BASE_DIR
from payments.gateways.base import CaptureIntent, ConfirmIntent, CreateIntent
from payments.gateways.sandbox import SandboxGateway
from payments.models import Payment, Refund
from payments.queries import trial_balance, trial_balance_by_day, trial_balance_of_payments
from payments.reconciliation.report import neutral
from payments.reconciliation.rows import Case, ReconciliationRun
from payments.reconciliation.run import Reconciler, open_run
from sagas.ids import uuid7
from sagas.sql import execute, rows
from tests.conftest import Clock, Manage
from tests.payments.factories import an_entry
from tests.payments.reconciliation.desk import ALWAYS, Desk
from tests.payments.till import Till
from tests.sandbox_process import SandboxProcess, running_sandbox


def reconcile(*arguments: str, code: int = 0) -> str:
    """Run the command in this process. What it said, if it ended as expected."""
    out = io.StringIO()
    ended, words = 0, ""
    try:
        call_command("reconcile", *arguments, stdout=out, stderr=out)
    except SystemExit as exit_:
        ended = int(exit_.code or 0)
    except CommandError as error:
        ended, words = error.returncode, str(error)
    assert ended == code, out.getvalue() + words
    return out.getvalue() + words


@pytest.fixture
def books(desk: Desk) -> Desk:
    """Two payments that agree. The command reads the database's clock: to it they are months old."""
    desk.till.captured("A-1")
    desk.till.captured("A-2", currency="JPY")
    return desk


def test_clean_books_end_with_zero_and_a_trial_balance(books: Desk) -> None:
    said = reconcile()

    assert "Reconciliation of everything: 2 objects" in said
    assert "matched 2, in flight 0, without money 0, differences 0" in said
    assert "captured  ours 10.00 GBP, theirs 10.00 GBP" in said
    assert f"  provider_clearing {'1,000 JPY':>20}\n" in said
    assert said.endswith("No difference is open.\n")


def test_a_difference_ends_with_one_until_somebody_settles_it(books: Desk) -> None:
    books.gateway.alter(books.payment("A-1").provider_id, captured_minor=900)

    said = reconcile(code=1)
    reconcile(code=1)
    Case.objects.update(
        state="resolved", how="explained", resolved_by="olga", reason="x", ended_at=books.clock.now
    )

    assert "captured  ours 10.00 GBP, theirs 9.00 GBP  apart by -1.00 GBP" in said
    assert "1 open: amount_differs" in said
    reconcile()


def test_a_silent_provider_ends_with_two_and_says_where_it_stopped(books: Desk) -> None:
    books.gateway.silent_after = 0
    stopped = reconcile(code=2)
    books.gateway.silent_after = None

    assert "payments.down connection refused. Stopped in intents, after 0 objects" in stopped
    assert ReconciliationRun.objects.get().result == "stopped"
    reconcile()
    assert ReconciliationRun.objects.count() == 1


def test_afresh_gives_up_an_unfinished_run(books: Desk) -> None:
    books.gateway.silent_after = 0
    reconcile(code=2)
    books.gateway.silent_after = None

    reconcile("--afresh")

    assert list(ReconciliationRun.objects.order_by("id").values_list("result", flat=True)) == [
        "stopped",
        "clean",
    ]


@pytest.mark.parametrize(
    ("arguments", "scope"),
    [
        (["--day", "2026-01-05"], "2026-01-05"),
        (["--from", "2026-01-01", "--to", "2026-01-31"], "2026-01-01 to 2026-01-31"),
        (["--from", "2026-01-01"], "2026-01-01 to …"),
    ],
)
def test_days_are_whole_days_in_utc(books: Desk, arguments: list[str], scope: str) -> None:
    assert f"Reconciliation of {scope}: 2 objects" in reconcile(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [["--day", "2026-01-05", "--to", "2026-01-06"], ["--from", "2026-01-06", "--to", "2026-01-05"]],
)
def test_days_that_make_no_sense_are_refused(books: Desk, arguments: list[str]) -> None:
    reconcile(*arguments, code=2)

    assert ReconciliationRun.objects.count() == 0


def test_the_report_can_be_opened_in_a_spreadsheet_without_harm(books: Desk, tmp_path: Path) -> None:
    books.gateway.plant(reference="=HYPERLINK(1)")

    reconcile("--report", str(tmp_path / "report"), code=1)

    def table(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader((tmp_path / "report" / name).open(newline="")))

    [difference] = table("differences.csv")
    assert (difference["kind"], difference["reference"]) == ("unknown_to_us", "'=HYPERLINK(1)")
    counted = {row["what"]: row["ours"] for row in table("summary.csv")}
    assert (counted["compared"], counted["matched"], counted["differences"]) == ("3", "2", "1")
    assert {"account": "sales", "currency": "GBP", "balance_minor": "-1000"} in table("trial_balance.csv")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_neutralised(start: str) -> None:
    assert neutral(f"{start}1+1") == f"'{start}1+1"
    assert (neutral("plain-1"), neutral(-5)) == ("plain-1", -5)


def test_a_report_that_cannot_be_written_is_trouble(books: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "The report cannot be written" in reconcile("--report", str(tmp_path / "file" / "x"), code=2)


def test_a_ledger_off_balance_is_trouble_and_the_entry_is_named(books: Desk) -> None:
    empty = an_entry()
    execute("SET LOCAL session_replication_role = replica")  # no triggers
    tampered = an_entry()
    execute(
        "INSERT INTO payments_journalline (entry_id, account, currency, amount_minor)"
        " VALUES (%s, 'sales', 'GBP', 7)",
        [tampered.pk],
    )
    execute("SET LOCAL session_replication_role = origin")

    said = reconcile(code=2)

    assert f"entry {empty.pk} (capture): 0 no lines" in said
    assert f"entry {tampered.pk} (capture): 7 GBP" in said


def test_a_settlement_report_is_taken_in(books: Desk, tmp_path: Path) -> None:
    file = tmp_path / "january.csv"
    head = "payout_id,object_id,type,gross,fee,net,currency,date\n"
    file.write_text(f"{head}po_1,pi_ghost,capture,5.00,0.20,4.80,EUR,2026-01-05\n")

    said = reconcile("--settlement", str(file), code=1)
    again = reconcile("--settlement", str(file), code=1)

    assert "january.csv: 1 lines taken in, 1 booked" in said
    assert "was taken in before: nothing changes." in again
    assert books.kinds() == ["settlement_unknown_line"]
    assert ReconciliationRun.objects.count() == 0


def test_a_bad_settlement_report_is_trouble_line_by_line(books: Desk, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(
        "payout_id,object_id,type,gross,fee,net,currency,date\npo_1,pi_1,capture,1,0,2,GBP,2026-01-05\n"
    )

    said = reconcile("--settlement", str(file), code=2)

    assert "line 2: net is not gross less fee\nNothing was stored." in said


# --- the trial balance ----------------------------------------------------------------------------------


def test_the_trial_balance_can_be_taken_at_a_moment_by_day_and_by_payment(till: Till, clock: Clock) -> None:
    till.captured("A-1")
    clock.forward(days=1)
    noon = clock.now
    till.captured("A-2", amount=500)

    payment = till.payment("A-2")
    by_day = trial_balance_by_day(noon - timedelta(days=2), noon + timedelta(days=1))

    assert trial_balance(before=noon)["sales", "GBP"] == -1000
    assert trial_balance()["sales", "GBP"] == -1500
    assert [(d.day.day, d.debit_minor, d.credit_minor) for d in by_day if d.account == "holds"] == [
        (5, 1000, 1000), (6, 500, 500),
    ]  # fmt: skip
    assert trial_balance_of_payments([payment.pk, uuid7()]) == {
        payment.pk: {("provider_clearing", "GBP"): 500, ("sales", "GBP"): -500}
    }


# --- the sandbox in a process of its own, and the command in another ------------------------------------


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path, "--profile", "quiet") as running:
        yield running


class Outside:
    """Payments made at the real sandbox through the steps, and the command as an operator runs it."""

    def __init__(self, sandbox: SandboxProcess, manage: Manage, till: Till) -> None:
        self.sandbox, self.till = sandbox, till
        self.gateway = SandboxGateway(sandbox.client())
        self._manage = manage
        self.env = {"WAYBILL_SANDBOX_URL": sandbox.url}

    def reconcile(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._manage("reconcile", "--grace", "0", *arguments, env=self.env)

    def begin_beside(self, count: int) -> None:
        """Intents that were never confirmed: they hold nothing, and fill pages."""
        for number in range(count):
            self.gateway.create(CreateIntent(
                key=uuid7(), reference=f"IDLE-{number}", amount_minor=100, currency="GBP",
                payment_method="pm_card_visa",
            ))  # fmt: skip

    def pay_beside(self, reference: str) -> str:
        """A captured intent that no step of ours asked for."""
        gateway, key = self.gateway, uuid7()
        made = gateway.create(CreateIntent(
            key=key, reference=reference, amount_minor=700, currency="GBP", payment_method="pm_card_visa",
        ))  # fmt: skip
        ident = str(getattr(made, "id", ""))
        gateway.confirm(ConfirmIntent(key=key, intent_id=ident))
        gateway.capture(CaptureIntent(key=key, intent_id=ident, amount_minor=700))
        return ident


@pytest.fixture
def outside(
    sandbox: SandboxProcess, manage: Manage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Outside:
    real = SandboxGateway(sandbox.client())
    monkeypatch.setattr("payments.gateways.get_gateway", lambda: real)
    return Outside(sandbox, manage, Till(real, clock))  # type: ignore[arg-type]  # a till at a real gateway


@pytest.mark.django_db(transaction=True)
def test_f35_f66_against_the_real_sandbox(outside: Outside) -> None:
    for name in ("A-0", "A-1"):
        outside.till.captured(name)
    outside.till.refund("A-0/C-1", refund=300)
    outside.begin_beside(101)

    clean = outside.reconcile()
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "104 objects" in clean.stdout
    assert "matched 3, in flight 0, without money 101, differences 0" in clean.stdout

    stray = outside.pay_beside("X-9")
    lost, back = Payment.objects.get(reference="A-1"), Refund.objects.get()
    Payment.objects.filter(pk=lost.pk).update(provider_id="pi_of_nobody")
    Refund.objects.update(provider_id="re_of_nobody")
    found = [outside.reconcile() for _ in range(2)]

    assert [done.returncode for done in found] == [1, 1], found[0].stdout + found[0].stderr
    assert sorted(Case.objects.values_list("kind", "object_id")) == sorted([
        ("unknown_to_us", stray), ("unknown_to_us", lost.provider_id), ("missing_at_provider", "pi_of_nobody"),
        ("missing_at_provider", "re_of_nobody"), ("duplicate_refund", back.provider_id),
    ])  # fmt: skip

    Payment.objects.filter(pk=lost.pk).update(provider_id=lost.provider_id)
    Refund.objects.update(provider_id=back.provider_id)
    mended = outside.reconcile()
    assert "1 open: unknown_to_us" in mended.stdout, mended.stdout
    assert Case.objects.filter(state="open").count() == 1

    outside.sandbox.kill()
    silent = outside.reconcile("--afresh")
    assert silent.returncode == 2
    assert "The provider could not be asked" in silent.stderr
    outside.sandbox.start()


@pytest.mark.django_db(transaction=True)
def test_a_reconciliation_that_is_killed_goes_on(outside: Outside, system_env: dict[str, str]) -> None:
    for number in range(3):
        outside.till.captured(f"A-{number}")
    stray, stray_at = outside.pay_beside("X-9"), outside.till.clock.now
    first = Reconciler(open_run(ALWAYS, now=stray_at), outside.gateway, clock=lambda: stray_at, page=2)
    first.step()
    outside.sandbox.stand_still()
    try:
        process = subprocess.Popen(
            [*MANAGE, "reconcile", "--grace", "0"], cwd=BASE_DIR, env=os.environ | system_env | outside.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _wait_until_it_is_at_work(process)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    finally:
        outside.sandbox.go_on()

    done = _until_free(outside)

    assert done.returncode == 1, done.stdout + done.stderr
    run = ReconciliationRun.objects.get()
    assert (run.pk, run.result, run.compared, run.differences) == (first.run.pk, "differences", 4, 1)
    assert list(Case.objects.values_list("kind", "object_id")) == [("unknown_to_us", stray)]


def _wait_until_it_is_at_work(process: subprocess.Popen[bytes]) -> None:
    """Once it holds the lock it waits for a page that the provider does not send."""
    deadline = time.monotonic() + 30
    while not rows("SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"):
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline, "it never began"
        time.sleep(0.05)


def _until_free(outside: Outside) -> subprocess.CompletedProcess[str]:
    """The server notices a killed client a moment later; until then the lock is held and the command says so."""
    deadline = time.monotonic() + 60
    while (done := outside.reconcile()).returncode == 2 and time.monotonic() < deadline:
        assert "Another reconciliation is running." in done.stderr
    return done
