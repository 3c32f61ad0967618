"""`manage.py audit` as people and programs run it: what it prints, and how it exits."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction

from config.audit import checks
from sagas.sql import execute
from tests.conftest import Manage
from tests.scenarios.fulfilment import Fulfilment, fulfilment, sandbox

__all__ = ["fulfilment", "sandbox"]

NOBODY = "http://127.0.0.1:1"


def tamper(statement: str) -> None:
    """Change rows that the database guards."""
    with transaction.atomic():
        execute("SET LOCAL session_replication_role = replica")
        execute(statement)


def findings(told: str) -> dict[str, dict[str, Any]]:
    """The findings of a report, by the name of their check."""
    return {finding["name"]: finding for finding in json.loads(told)["findings"]}


def test_books_that_balance_are_told_so_with_exit_0(fulfilment: Fulfilment, manage: Manage) -> None:
    fulfilment.run()

    done = manage("audit", "--url", fulfilment.sandbox.url)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("Audit", "The books balance.")
    assert [line.split()[:2] for line in lines[1:-1]] == [[check.invariant, "ok"] for check in checks()]


def test_a_breach_is_shown_with_its_example_and_exit_1(fulfilment: Fulfilment, manage: Manage) -> None:
    fulfilment.run()
    tamper("UPDATE inventory_stock SET on_hand = on_hand + 1")

    done = manage("audit", "--url", fulfilment.sandbox.url)
    tamper("UPDATE inventory_stock SET on_hand = on_hand - 1")

    assert done.returncode == 1
    assert "I4  1 breaches    On hand equals the sum of movements." in done.stdout
    assert " MUG, 11, 10" in done.stdout
    assert done.stdout.splitlines()[-1] == "The books do not balance: 1 breaches."


def test_programs_get_every_finding_as_json(fulfilment: Fulfilment, manage: Manage) -> None:
    fulfilment.run()

    done = manage("audit", "--json", env={"WAYBILL_SANDBOX_URL": fulfilment.sandbox.url})

    report = json.loads(done.stdout)
    assert (done.returncode, report["passed"]) == (0, True)
    assert list(findings(done.stdout)) == [check.name for check in checks()]
    assert report["findings"][0] == {
        "name": "i01a_one_hold_per_intent",
        "invariant": "I1",
        "promise": "The provider holds or took no money that no payment of ours knows.",
        "breaches": 0,
        "examples": [],
        "skipped": "",
    }


def test_a_breach_has_at_most_five_examples_in_json(fulfilment: Fulfilment, manage: Manage) -> None:
    for number in range(7):
        fulfilment.run(f"A-{number}")
    tamper("UPDATE orders_order SET state = 'completed'")

    done = manage("audit", "--json", "--url", fulfilment.sandbox.url)
    tamper("UPDATE orders_order SET state = 'confirmed'")

    found = findings(done.stdout)["i10b_orders_equal_their_events"]
    assert (done.returncode, found["breaches"], len(found["examples"])) == (1, 7, 5)


def test_a_provider_that_cannot_be_asked_is_no_clean_bill(fulfilment: Fulfilment, manage: Manage) -> None:
    fulfilment.run()

    done = manage("audit", "--json", "--url", NOBODY)

    assert done.returncode == 1
    assert done.stderr.startswith(f"The provider could not be asked: {NOBODY}: ")
    skipped = {name for name, finding in findings(done.stdout).items() if finding["skipped"]}
    assert skipped == {check.name for check in checks() if check.needs_listing}
    assert not any(finding["breaches"] for finding in findings(done.stdout).values())
