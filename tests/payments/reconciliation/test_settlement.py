"""F35: each line of a settlement report is matched, or there is one open case; the same file changes nothing twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from payments.models import JournalEntry, Payment
from payments.queries import trial_balance, unbalanced_entries
from payments.reconciliation import settlement
from payments.reconciliation.fees import BadFees, Fee, read_fees
from payments.reconciliation.rows import Case, SettlementFile, SettlementLine
from payments.reconciliation.settlement import ImportedFile, import_settlement
from payments.reconciliation.settlement_format import BadSettlement
from tests.conftest import Clock
from tests.payments.reconciliation.desk import Desk

HEADER = "payout_id,object_id,type,gross,fee,net,currency,date"
DAY = "2026-01-05"
Fees = Any


@pytest.fixture
def fees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was agreed: 1.4 % and 0.20 of pounds."""
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, settlement_fees="GBP=1.4%+0.20"))


@pytest.fixture
def books(desk: Desk) -> Desk:
    """Two captured payments of 10.00, of one of which 4.00 have gone back."""
    desk.till.captured("A-1")
    desk.till.captured("A-2")
    desk.till.refund("A-2/C-1", refund=400)
    return desk


def lines_of(desk: Desk) -> list[str]:
    """The report that agrees with the books."""
    one, two = desk.payment("A-1").provider_id, desk.payment("A-2").provider_id
    back = desk.till.refund_row("A-2/C-1").provider_id
    return [
        f"po_1,{one},capture,10.00,0.34,9.66,GBP,{DAY}",
        f"po_1,{two},capture,10.00,0.34,9.66,GBP,{DAY}",
        f"po_1,{back},refund,-4.00,0.00,-4.00,GBP,{DAY}",
        f"po_1,fee_1,fee,0,0.50,-0.50,GBP,{DAY}",
        f"po_1,dp_1,dispute,-3.00,15.00,-18.00,GBP,{DAY}",
        f"po_1,adj_1,adjustment,1.00,0.00,1.00,GBP,{DAY}",
    ]


def take_in(desk: Desk, folder: Path, lines: list[str], name: str = "january.csv") -> ImportedFile:
    file = folder / name
    file.write_text("\n".join([HEADER, *lines]) + "\n")
    return import_settlement(file, now=desk.clock.forward(hours=1))


def cases() -> list[tuple[str, str, int]]:
    return list(
        Case.objects.filter(state="open").order_by("id").values_list("kind", "object_id", "at_stake_minor")
    )


def test_a_report_that_agrees_is_matched_line_by_line_and_booked(
    books: Desk, fees: Fees, tmp_path: Path
) -> None:
    done = take_in(books, tmp_path, lines_of(books))

    assert done == ImportedFile(known=False, lines=6, booked=6)
    assert cases() == []
    assert set(SettlementLine.objects.values_list("match", flat=True)) == {"matched"}
    balance = trial_balance()
    assert balance["provider_fees", "GBP"] == 34 + 34 + 50 + 1500
    assert balance["bank", "GBP"] == 966 + 966 - 400 - 50 - 1800 + 100
    assert balance["provider_settled", "GBP"] == -(1000 + 1000 - 400 - 300 + 100)
    assert (sum(balance.values()), unbalanced_entries()) == (0, [])
    assert books.till.entries("A-1") == ["authorization", "capture", "settlement"]


def test_f35_the_same_file_twice_changes_nothing(books: Desk, tmp_path: Path) -> None:
    lines = [*lines_of(books), f"po_1,pi_ghost,capture,5.00,0.27,4.73,GBP,{DAY}"]
    take_in(books, tmp_path, lines)
    before = (trial_balance(), cases(), JournalEntry.objects.count())

    again = take_in(books, tmp_path, lines, name="another_name.csv")

    assert again == ImportedFile(known=True, lines=7, booked=0)
    assert (trial_balance(), cases(), JournalEntry.objects.count()) == before
    assert SettlementFile.objects.count() == 1


def test_f35_a_line_we_do_not_know_has_a_case_and_is_booked_all_the_same(books: Desk, tmp_path: Path) -> None:
    take_in(books, tmp_path, [*lines_of(books), f"po_1,pi_ghost,capture,5.00,0.27,4.73,GBP,{DAY}"])

    assert cases() == [("settlement_unknown_line", "capture pi_ghost", 500)]
    assert JournalEntry.objects.get(kind="settlement", shop_id=None, payment_id=None, lines__amount_minor=473)


def test_an_unknown_line_is_matched_once_the_payment_is_known(books: Desk, tmp_path: Path) -> None:
    ident = books.payment("A-1").provider_id
    Payment.objects.filter(provider_id=ident).update(provider_id="")
    lines = [f"po_1,{ident},capture,10.00,0.34,9.66,GBP,{DAY}"]
    take_in(books, tmp_path, lines)
    opened = cases()

    Payment.objects.filter(reference="A-1").update(provider_id=ident)
    books.run()

    assert ("settlement_unknown_line", f"capture {ident}", 1000) in opened
    assert Case.objects.get(object_id=f"capture {ident}").state == "closed"
    assert SettlementLine.objects.get().match == "matched"


def test_f35_a_line_the_report_lacks_has_a_case_until_it_comes(books: Desk, tmp_path: Path) -> None:
    first, *rest = lines_of(books)
    take_in(books, tmp_path, rest)
    missed = cases()

    take_in(books, tmp_path, [first.replace(DAY, "2026-01-06")], name="february.csv")

    one = books.payment("A-1").provider_id
    assert missed == [("settlement_missing_line", f"capture {one}", 1000)]
    assert cases() == []
    assert Case.objects.get().state == "closed"


def test_a_refund_the_report_lacks_has_a_case(books: Desk, tmp_path: Path) -> None:
    lines = lines_of(books)
    take_in(books, tmp_path, lines[:2] + lines[3:])

    back = books.till.refund_row("A-2/C-1").provider_id
    assert cases() == [("settlement_missing_line", f"refund {back}", 400)]


def test_what_moved_at_the_edge_of_the_days_is_not_missed(books: Desk, tmp_path: Path) -> None:
    books.clock.forward(hours=14, minutes=30)
    books.till.captured("MIDNIGHT")

    take_in(books, tmp_path, lines_of(books))

    assert books.payment("MIDNIGHT").moved_at.hour == 23
    assert cases() == []


def test_what_moved_early_on_the_first_day_may_stand_in_the_file_before(desk: Desk, tmp_path: Path) -> None:
    desk.clock.forward(hours=15, minutes=30)
    desk.till.captured("MIDNIGHT")

    take_in(desk, tmp_path, ["po_2,fee_9,fee,0,0.50,-0.50,GBP,2026-01-06"])

    assert (desk.payment("MIDNIGHT").moved_at.day, desk.payment("MIDNIGHT").moved_at.hour) == (6, 0)
    assert cases() == []


def test_a_report_in_another_currency_misses_nothing_of_ours(books: Desk, tmp_path: Path) -> None:
    take_in(books, tmp_path, [f"po_2,fee_9,fee,0,5,-5,JPY,{DAY}"])

    assert cases() == []


def test_f35_a_fee_that_was_not_agreed_has_a_case(books: Desk, fees: Fees, tmp_path: Path) -> None:
    first, *rest = lines_of(books)
    take_in(books, tmp_path, [first.replace("0.34,9.66", "0.74,9.26"), *rest])

    case = Case.objects.get()
    assert (case.kind, case.at_stake_minor, case.ours["agreed"]) == ("settlement_fee_differs", 40, 34)
    assert case.theirs["fee_minor"] == 74


def test_without_an_agreed_rate_fees_are_booked_and_not_judged(books: Desk, tmp_path: Path) -> None:
    first, *rest = lines_of(books)
    take_in(books, tmp_path, [first.replace("0.34,9.66", "9.00,1.00"), *rest])

    assert cases() == []
    assert trial_balance()["provider_fees", "GBP"] == 900 + 34 + 50 + 1500


@pytest.mark.parametrize("name", ["january.csv", "february.csv"])
def test_f35_a_doubled_line_has_a_case_and_is_booked_once(books: Desk, tmp_path: Path, name: str) -> None:
    lines = lines_of(books)
    if name == "january.csv":
        done = take_in(books, tmp_path, [*lines, lines[0]])
        booked = done.booked
    else:
        booked = take_in(books, tmp_path, lines).booked
        booked += take_in(books, tmp_path, [lines[0]], name=name).booked

    assert booked == 6
    [(kind, _, stake)] = cases()
    assert (kind, stake) == ("settlement_doubled_line", 966)
    assert trial_balance()["bank", "GBP"] == 966 + 966 - 400 - 50 - 1800 + 100


def test_another_gross_than_was_captured_has_a_case(books: Desk, tmp_path: Path) -> None:
    first, *rest = lines_of(books)
    take_in(books, tmp_path, [first.replace("10.00,0.34,9.66", "9.00,0.34,8.66"), *rest])

    assert cases() == [("settlement_amount_differs", f"capture {books.payment('A-1').provider_id}", 100)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("po_1,pi_1,capture,10.00,0.34,9.65,GBP,2026-01-05", "line 2: net is not gross less fee"),
        (
            "po_1,pi_1,capture,-10.00,0,-10.00,GBP,2026-01-05",
            "line 2: the gross of a capture must be above zero",
        ),
        ("po_1,re_1,refund,4.00,0,4.00,GBP,2026-01-05", "line 2: the gross of a refund must be below zero"),
        ("po_1,fe_1,fee,1,1,0,GBP,2026-01-05", "line 2: the gross of a fee must be zero"),
        ("po_1,pi_1,sale,1,0,1,GBP,2026-01-05", "line 2: type 'sale' is none of"),
        ("po_1,pi_1,capture,1e3,0,1e3,GBP,2026-01-05", "line 2: gross '1e3' is no amount"),
        ("po_1,pi_1,capture,1.001,0,1.001,GBP,2026-01-05", "line 2: gross '1.001': GBP has 2 decimals"),
        ("po_1,pi_1,capture,1.5,0,1.5,JPY,2026-01-05", "line 2: gross '1.5': JPY has 0 decimals"),
        ("po_1,pi_1,capture,1,0,1,gbp,2026-01-05", "line 2: currency 'gbp' is no ISO code"),
        ("po_1,pi_1,capture,1,0,1,GBP,05.01.2026", "line 2: date '05.01.2026' is not like"),
        ("po_1,pi_1,capture,1,0,1,GBP", "line 2: 7 cells instead of 8"),
        ("po_1,,capture,1,0,1,GBP,2026-01-05", "line 2: payout_id and object_id must be"),
        ('po_1,"pi_1,capture,1,0,1,GBP,2026-01-05', "This is no CSV file in UTF-8"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_stored(books: Desk, tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(BadSettlement) as caught:
        take_in(books, tmp_path, [line, *lines_of(books)])

    assert caught.value.errors[0].startswith(said)
    assert SettlementFile.objects.count() == SettlementLine.objects.count() == 0
    assert not JournalEntry.objects.filter(kind="settlement").exists()


def test_every_bad_line_is_named_up_to_a_bound(books: Desk, tmp_path: Path) -> None:
    bad = [f"po_1,pi_{n},capture,1,0,2,GBP,{DAY}" for n in range(60)]

    with pytest.raises(BadSettlement) as caught:
        take_in(books, tmp_path, bad)

    assert len(caught.value.errors) == 50
    assert caught.value.errors[-1] == "line 51: net is not gross less fee"


@pytest.mark.parametrize("text", ["", "a,b\n", HEADER + "\n"])
def test_a_file_without_lines_is_refused(clock: Clock, tmp_path: Path, text: str) -> None:
    file = tmp_path / "empty.csv"
    file.write_text(text)

    with pytest.raises(BadSettlement):
        import_settlement(file, now=clock.now)


def test_an_import_killed_half_way_goes_on_and_books_each_line_once(
    books: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "BATCH", 2)
    whole = settlement._take_in
    taken: list[int] = []

    def dies_at_the_third(*args: Any, **more: Any) -> int:
        taken.append(whole(*args, **more))
        if len(taken) == 3:
            raise RuntimeError("killed")
        return taken[-1]

    with monkeypatch.context() as broken:
        broken.setattr(settlement, "_take_in", dies_at_the_third)
        with pytest.raises(RuntimeError):
            take_in(books, tmp_path, lines_of(books))
    half = SettlementFile.objects.get()

    done = take_in(books, tmp_path, lines_of(books))

    assert (half.stored, half.finished_at) == (4, None)
    assert done == ImportedFile(known=False, lines=6, booked=2)
    assert JournalEntry.objects.filter(kind="settlement").count() == 6
    assert cases() == []


def test_currencies_without_and_with_three_decimals_are_exact(desk: Desk, tmp_path: Path) -> None:
    desk.till.captured("YEN", amount=1234, currency="JPY")
    desk.till.captured("DINAR", amount=1234, currency="KWD")
    yen, dinar = desk.payment("YEN").provider_id, desk.payment("DINAR").provider_id

    take_in(desk, tmp_path, [
        f"po_1,{yen},capture,1234,40,1194,JPY,{DAY}", f"po_1,{dinar},capture,1.234,0.040,1.194,KWD,{DAY}",
    ])  # fmt: skip

    assert cases() == []
    assert (trial_balance()["bank", "JPY"], trial_balance()["bank", "KWD"]) == (1194, 1194)


def test_agreed_fees_are_read_exactly() -> None:
    read = read_fees("GBP=1.4%+0.20, JPY=3.6% KWD=2%+0.015")

    assert {currency: (fee.of(1000), fee.fixed_minor) for currency, fee in read.items()} == {
        "GBP": (34, 20), "JPY": (36, 0), "KWD": (35, 15),
    }  # fmt: skip
    assert read_fees("") == {}
    assert isinstance(read["GBP"], Fee)


@pytest.mark.parametrize("text", ["GBP", "GBP=x%", "gbp=1%", "JPY=1%+0.5", "GBP=1%+0.001"])
def test_a_fee_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadFees):
        read_fees(text)
